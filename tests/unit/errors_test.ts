import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { asError } from "../../lib/errors.ts";
import { describeError, errorLine, logLine } from "../../lib/message/describe_error.ts";

const refuse = (): never => {
  throw new Error("refused");
};

/** A Proxy that throws at whatever it is asked. */
const hostileProxy = new Proxy({}, {
  get: refuse,
  getPrototypeOf: refuse,
  getOwnPropertyDescriptor: refuse,
  has: refuse,
  ownKeys: refuse,
});

/** An error on which one property cannot be read. */
function without(property: string): Error {
  return Object.defineProperty(new TypeError("no"), property, { get: refuse });
}

const HOSTILE: Readonly<Record<string, unknown>> = {
  "a Proxy that throws when asked for its prototype": hostileProxy,
  "a Proxy of an error that throws when read": new Proxy(new Error("no"), { get: refuse }),
  "an error without a readable message": without("message"),
  "an error whose message is no text": Object.assign(new Error(), { message: Symbol("odd") }),
  "an error without a readable name": without("name"),
  "an error without a readable stack": without("stack"),
  "an error without a readable cause": without("cause"),
  "an error without a readable constructor": without("constructor"),
  "an error caused by a hostile Proxy": new Error("no", { cause: hostileProxy }),
  "several errors that cannot be listed": Object.defineProperty(new AggregateError([]), "errors", {
    get: refuse,
  }),
  "several errors that are no list": Object.assign(new AggregateError([]), { errors: 5 }),
  "an object without a prototype": Object.create(null),
  "nothing": undefined,
  "null": null,
  "several errors that are one of themselves": selfContained(),
};

function selfContained(): AggregateError {
  const several = new AggregateError([], "round");
  several.errors.push(several, hostileProxy);
  return several;
}

for (const [what, thrown] of Object.entries(HOSTILE)) {
  Deno.test(`${what} becomes an error that can be read and described`, () => {
    const error = asError(thrown);
    assertInstanceOf(error, Error);
    assertEquals(typeof error.message, "string");
    for (const value of [thrown, error]) {
      const { type, message, stack } = describeError(value, 1024);
      for (const text of [type, message, stack, errorLine(value), logLine(value)]) {
        assertEquals(typeof text, "string");
      }
    }
  });
}

Deno.test("an error is itself", () => {
  const error = new TypeError("");
  assert(asError(error) === error);
});

Deno.test("what is readable of an error is told, whatever is not", () => {
  assertEquals(errorLine(without("stack")), "TypeError: no");
  assertStringIncludes(describeError(without("cause"), 10_000).stack, "errors_test.ts");
});

Deno.test("causes that lead back, or fan out without end, are told once and in bounded time", () => {
  const first = new Error("first");
  const second = new Error("second", { cause: first });
  first.cause = second;
  assertEquals(describeError(first, 100_000).stack.split("Caused by:").length, 2);

  // Followed to any fixed depth this has 100 to the power of that depth.
  const wide = new AggregateError([], "wide");
  wide.errors = Array.from({ length: 100 }, (_, index) => new AggregateError([wide], `${index}`));
  for (const error of wide.errors) error.errors = wide.errors;
  assert(describeError(wide, 100_000).stack.split("Caused by:").length <= 10);
});
