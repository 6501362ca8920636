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
  new Array(times).fill(open.repeat(levels) + "1" + close.repeat(levels)).join(",");
/** Ten times what it takes here, a third of what each took before. */
const SLOW_MS = 5_000;

for (
  const [what, data] of [
    ["lists in lists, and a float", `{"a":1.0,"b":[${nested("[", "]", 990, 3_900)}]}`],
    ["lists in lists", `{"a":1,"b":[${nested("[", "]", 990, 3_900)}]}`],
    ["objects in objects", `{"a":1.0,"b":[${nested('{"b":', "}", 900, 1_300)}]}`],
    ["objects in objects, none in order", `{"z":1.0,"b":[${nested('{"b":', ',"a":1}', 900, 700)}]}`],
    ["floats", `{"a":[${new Array(1_600_000).fill("1.50").join(",")}]}`],
    ["NaN beside strings with escapes", `{"a":NaN,"b":"${"\\\\".repeat(3_900_000)}"}`],
    [
      "members in no order",
      `{"q":1.0,${Array.from({ length: 400_000 }, (_, i) => `"k${(i * 7919) % 400_000}":1`).join(",")}}`,
    ],
  ] as const
) {
  Deno.test(`eight megabytes of ${what} are judged and dead-lettered at once`, () => {
    const text = message(data, "0".repeat(64));
    const started = performance.now();
    assertThrows(() => decodeMessage(text), DeserializationError, "checksum");
    const letter = renderDeadLetter(text, FACTS);
    assertLess(performance.now() - started, SLOW_MS);
    assertEquals(originalText(letter), text.replace(/, "metadata"/, ',"metadata"'));
    assertEquals(summarizeDeadLetter(letter).messageId, "i");
    assertEquals(decodeMessage(message(data, checksumOf(canonicalText(data)))).metadata.headers.id, "i");
  });
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
