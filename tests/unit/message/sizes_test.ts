/**
 * Messages of the greatest size that is received: judged and dead-lettered in time that grows with their size
 * and not with their shape (L7, H3).
 */
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { DeserializationError } from "../../../lib/errors.ts";
import { canonicalText } from "../../../lib/message/canonical.ts";
import { isObjectText } from "../../../lib/message/canonical_text.ts";
import { checksumOf } from "../../../lib/message/checksum.ts";
import {
  type DeadLetterFacts,
  KEPT_BYTES,
  originalText,
  parseDeadLetter,
  renderDeadLetter,
  summarizeDeadLetter,
} from "../../../lib/message/dead_letter.ts";
import { decodeMessage } from "../../../lib/message/envelope.ts";

const FACTS: DeadLetterFacts = {
  originalStream: "fz::thing",
  originalId: "1-0",
  consumerGroup: "fz.Plain",
  consumer: "Plain-host-1-000001",
  handler: "Plain",
  retryCount: 1,
  failedAt: 0,
  error: new DeserializationError("It cannot be read."),
};

function message(data: string, checksum: string, id = "i"): string {
  const headers = JSON.stringify({ id, type: "Fz.Loose.v1" });
  return `{"data": ${data}, "metadata":{"headers":${headers},"domain":{"kind":"EVENT","correlation_id":"c"},` +
    `"envelope":{"checksum":"${checksum}"}}}`;
}

const nested = (open: string, close: string, levels: number, times: number) =>
  new Array(Math.round(times)).fill(open.repeat(levels) + "1" + close.repeat(levels)).join(",");
/** Of eight megabytes, which are the most that is received: enough to see how time grows. */
const WHOLE = 1 / 4;
/** An eighth of its size, so that the one can be compared with the other. */
const EIGHTH = WHOLE / 8;
/** What grows with the square of the size takes 64 times as long. */
const MOST_TIMES_EIGHTH = 32;

for (
  const [what, dataOf] of [
    ["lists in lists, and a float", (share) => `{"a":1.0,"b":[${nested("[", "]", 990, 3_900 * share)}]}`],
    ["lists in lists", (share) => `{"a":1,"b":[${nested("[", "]", 990, 3_900 * share)}]}`],
    ["objects in objects", (share) => `{"a":1.0,"b":[${nested('{"b":', "}", 900, 1_300 * share)}]}`],
    [
      "objects in objects, none in order",
      (share) => `{"z":1.0,"b":[${nested('{"b":', ',"a":1}', 900, 700 * share)}]}`,
    ],
    ["floats", (share) => `{"a":[${new Array(1_600_000 * share).fill("1.50").join(",")}]}`],
    [
      "NaN beside strings with escapes",
      (share) => `{"a":NaN,"b":"${"\\\\".repeat(Math.round(3_900_000 * share))}"}`,
    ],
    [
      "members in no order",
      (share) =>
        `{"q":1.0,${
          Array.from({ length: 400_000 * share }, (_, i) => `"k${(i * 7919) % 400_000}":1`).join(",")
        }}`,
    ],
  ] as const satisfies readonly (readonly [string, (share: number) => string])[]
) {
  Deno.test(`two megabytes of ${what} are judged and dead-lettered in proportion to their size`, () => {
    const eighth = Math.min(...[1, 2, 3].map(() => takes(dataOf(EIGHTH)).ms));
    const data = dataOf(WHOLE);
    const { ms, text, letter } = takes(data);
    assertLess(ms / eighth, MOST_TIMES_EIGHTH);
    assertEquals(originalText(letter), text.replace(/, "metadata"/, ',"metadata"'));
    assertEquals(summarizeDeadLetter(letter).messageId, "i");
    assertEquals(decodeMessage(message(data, checksumOf(canonicalText(data)))).metadata.headers.id, "i");
  });
}

/** Judges and dead-letters a message whose checksum is another's. */
function takes(data: string): { readonly ms: number; readonly text: string; readonly letter: string } {
  const text = message(data, "0".repeat(64));
  const started = performance.now();
  assertThrows(() => decodeMessage(text), DeserializationError, "checksum");
  const letter = renderDeadLetter(text, FACTS);
  return { ms: performance.now() - started, text, letter };
}

Deno.test("what is a JSON object is told without making one of it", () => {
  for (const text of ["{}", ' {"a":[1, {"b":NaN}]}\n', '{"a":1,"a":2}']) assert(isObjectText(text), text);
  for (const text of ["", "[]", '{"a":}', '{"a":1} x', '{"a":1', '{"a":"', "{".repeat(100_000), '"{}"']) {
    assertEquals(isObjectText(text), false, text.slice(0, 20));
  }
});

Deno.test("what is too long to be escaped is dead-lettered by its beginning", () => {
  const text = "\u0001".repeat(95_000_000);
  const letter = renderDeadLetter(text, FACTS);
  const { raw, _dlq_metadata: facts } = JSON.parse(letter);
  assertEquals(raw, text.slice(0, KEPT_BYTES));
  assertEquals([facts.truncated_bytes, facts.message_id, facts.original_id], [95_000_000, null, "1-0"]);
  assertEquals(parseDeadLetter(letter).truncatedBytes, 95_000_000);
});

Deno.test("a truncated message is kept as raw text with its size and its hash", () => {
  const truncated = { bytes: 9_000_000, sha256: "ab".repeat(32) };
  const letter = renderDeadLetter('{"data":{"a":1},', { ...FACTS, truncated });
  const { raw, _dlq_metadata: facts } = JSON.parse(letter);
  assertEquals(raw, '{"data":{"a":1},');
  assertEquals([facts.truncated_bytes, facts.sha256], [9_000_000, "ab".repeat(32)]);
  assertEquals(parseDeadLetter(letter).text, raw);
});

Deno.test("ids of any length make no dead letter larger than a bound", () => {
  const id = "é".repeat(1_000_000);
  const text = message("{}", "0".repeat(64), id);
  const letter = renderDeadLetter(text, FACTS);
  assertLess(letter.length - text.length, 32 * 1024);
  assertEquals(JSON.parse(letter)._dlq_metadata.message_id, id.slice(0, 512));
});
