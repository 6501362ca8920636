/** Values of payloads are in no log above debug, whoever's text brings them there (M4, SEC-4). */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Domain, on, ValidationError } from "@protean/server";
import { z } from "zod";
import { errorLine, logLine } from "../../../lib/message/describe_error.ts";
import { userStatementError } from "../../../lib/adapters/postgres/connection/errors.ts";
import { logged } from "../../support/logged.ts";
import { CATEGORY, SubscriptionRig } from "../../support/subscription_rig.ts";
import { runnerOf, started } from "../domain/fixture.ts";
import postgres from "postgres";

const PLANTED = "PLANTED-4111";

function serverError(code: string, message: string): Error {
  const error = new postgres.PostgresError(message);
  return Object.assign(error, { message, code, detail: `Key (n)=(${PLANTED})` });
}

const where = { name: "default", label: "u@h:5432/d" };

/** What a handler may come to throw that quotes what it was given. */
const THROWN: Record<string, (value: string) => unknown> = {
  "an error of its own": (value) => new Error(`card ${value} declined`),
  "what JSON.parse throws": (value) => thrownBy(() => JSON.parse(value)),
  "what BigInt throws": (value) => thrownBy(() => BigInt(value)),
  "a text": (value) => value,
  "an object": (value) => ({ value }),
  "several": (value) => new AggregateError([new Error(value), new TypeError(value)], value),
  "an error with a cause": (value) => new Error("told", { cause: new Error(value) }),
  "lines that look like a stack": (value) => new Error(`a\n    at ${value} (file:///x.ts:1:1)`),
  "a code that is none": (value) => Object.assign(new Error("x"), { code: value.toLowerCase() }),
  "a cast that PostgreSQL refuses": (value) =>
    userStatementError(
      where,
      serverError("22P02", `invalid input syntax for type integer: "${value}"`),
    ),
  "what a trigger raises": (value) => userStatementError(where, serverError("P0001", value)),
};

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

const text = (data: unknown) =>
  JSON.stringify({
    data,
    metadata: {
      headers: { id: "m", type: "Shop.Placed.v1", stream: `${CATEGORY}-1` },
      domain: { kind: "EVENT" },
    },
  });

function shop(handle: (value: string) => unknown) {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string(), contacts: z.record(z.email(), z.number()).optional() });
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  domain.eventHandler("Events", {
    partOf: Order,
    handles: [on(Placed, ({ id }) => {
      throw handle(id);
    })],
  });
  return domain;
}

/** What the log says, from info on, while one message fails for good; and its dead letter. */
async function failed(domain: Domain, data: unknown): Promise<{ log: string; letter: string }> {
  await using running = await started(domain);
  const rig = new SubscriptionRig();
  const subscription = rig.subscribe(runnerOf(running.runtime, "Events"), { maxRetries: 2 });
  const records = await logged(async () => {
    await subscription.start();
    await rig.send(text(data));
    await rig.clock.advance(10_000);
  });
  const [letter] = await rig.deadLetters();
  await rig.close(subscription);
  assertEquals(records.filter(({ level }) => level === "error").length, 1);
  return { log: JSON.stringify(records), letter: JSON.stringify(letter) };
}

for (const [what, thrown] of Object.entries(THROWN)) {
  Deno.test(`a handler that fails with ${what} brings no payload into the log`, async () => {
    const { log, letter } = await failed(shop(thrown), { id: PLANTED });
    assert(!log.includes(PLANTED) && !log.includes(PLANTED.toLowerCase()), log);
    assertStringIncludes(letter, PLANTED);
  });
}

Deno.test("a refusal of the schema names the field in the log, and its keys in the dead letter alone", async () => {
  const { log, letter } = await failed(shop(() => 0), { id: "a", contacts: { [PLANTED]: 1 } });
  assert(!log.includes(PLANTED), log);
  assertStringIncludes(log, "Events");
  assertStringIncludes(log, "is refused by its schema in 'contacts'");
  assertStringIncludes(letter, `contacts.${PLANTED}`);
});

Deno.test("the log tells what failed and where; the text is for debug", () => {
  assertEquals(
    logLine(userStatementError(where, serverError("22P02", PLANTED))),
    "ProteanError: A statement failed on database 'default' (SQLSTATE 22P02).",
  );
  assertEquals(logLine(new ValidationError("Our own words.")), "ValidationError: Our own words.");
  const line = logLine(new RangeError(PLANTED));
  assert(/^RangeError at .*payload_in_log_test\.ts:\d+:\d+/.test(line), line);
  assertStringIncludes(errorLine(new RangeError(PLANTED)), PLANTED);
  assertEquals(
    logLine(Object.assign(new Error(""), { code: "ECONNRESET", stack: "" })),
    "Error (ECONNRESET)",
  );
});
