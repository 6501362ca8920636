/** What is read out of what a handler throws. */
import { assertEquals, assertThrows } from "@std/assert";
import { DeadLetter, Discard, IncorrectUsageError, RetryAfter } from "../../../lib/mod.ts";
import { decisionOf } from "../../../lib/domain/decision.ts";

const HOUR = 3_600_000;

/** As another copy of this library would throw it. */
function foreign(code: string, facts: Record<string, unknown> = {}): Error {
  return Object.assign(new Error("theirs"), { code, ...facts });
}

Deno.test("the three have their codes, reasons and causes", () => {
  const cause = new Error("why");
  const [letter, discard, later] = [
    new DeadLetter("broken", { cause }),
    new Discard("old", { cause }),
    new RetryAfter(5, "busy", { cause }),
  ];
  assertEquals([letter, discard, later].map(({ code }) => code), ["DEAD_LETTER", "DISCARD", "RETRY_AFTER"]);
  assertEquals([letter, discard, later].map(({ message }) => message), ["broken", "old", "busy"]);
  assertEquals([letter, discard, later].map((error) => error.cause === cause), [true, true, true]);
  assertEquals([letter, discard, later].map(({ name }) => name), ["DeadLetter", "Discard", "RetryAfter"]);
});

Deno.test("RetryAfter waits 24 hours at the most, nothing at the least, and never for no number", () => {
  const waits = [0, 1.5, 24 * HOUR, 24 * HOUR + 1, Infinity, -1, -Infinity];
  assertEquals(waits.map((ms) => new RetryAfter(ms).ms), [0, 1.5, 24 * HOUR, 24 * HOUR, 24 * HOUR, 0, 0]);
  for (const ms of [NaN, "5" as unknown as number, undefined as unknown as number, 5n as unknown as number]) {
    assertThrows(() => new RetryAfter(ms), IncorrectUsageError, "a number of milliseconds");
  }
});

Deno.test("a decision is found as a cause, of another copy of the library, and nowhere else", () => {
  const wrapped = new Error("outer", { cause: new TypeError("inner", { cause: new Discard("old") }) });
  assertEquals(decisionOf(wrapped), { kind: "discard", reason: "old" });
  assertEquals(decisionOf(foreign("DEAD_LETTER")), { kind: "dead_letter", reason: "theirs" });
  assertEquals(decisionOf(foreign("RETRY_AFTER", { ms: 90 * HOUR })), {
    kind: "retry_after",
    reason: "theirs",
    ms: 24 * HOUR,
  });
  // The one that was thrown last decides.
  assertEquals(decisionOf(new DeadLetter("given up", { cause: new RetryAfter(5) }))?.kind, "dead_letter");
  for (const ms of [undefined, NaN, "5", null]) {
    assertEquals(decisionOf(foreign("RETRY_AFTER", { ms })), undefined);
  }
  const round = new Error("round");
  round.cause = round;
  const proxy = new Proxy({}, {
    getPrototypeOf: () => {
      throw new Error("no");
    },
  });
  const hostile = Object.defineProperty(new Error("hostile"), "code", {
    get: () => {
      throw new Error("no");
    },
  });
  for (
    const thrown of [
      undefined,
      null,
      "DISCARD",
      { code: "DISCARD" },
      foreign("ENOENT"),
      round,
      proxy,
      hostile,
    ]
  ) {
    assertEquals(decisionOf(thrown), undefined);
  }
});

Deno.test("of several methods the decision is the one that keeps most of the message", () => {
  const join = (...errors: unknown[]) => decisionOf(new AggregateError(errors, "several"));
  const [letter, discard] = [new DeadLetter("broken"), new Discard("old")];
  assertEquals(join(discard, discard), { kind: "discard", reason: "old" });
  assertEquals(join(discard, letter), { kind: "dead_letter", reason: "broken" });
  assertEquals(join(letter, new RetryAfter(5, "a"), new RetryAfter(9, "b"), discard), {
    kind: "retry_after",
    reason: "b",
    ms: 9,
  });
  assertEquals(join(discard, new Error("fails")), undefined);
  assertEquals(join(), undefined);
});
