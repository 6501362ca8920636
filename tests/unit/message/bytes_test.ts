/** Bytes that are not UTF-8 are kept, and never taken for a message (L8a). */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { DeserializationError } from "../../../lib/errors.ts";
import { standsForBytes, textOfBytes } from "../../../lib/message/bytes.ts";
import { originalText, renderDeadLetter } from "../../../lib/message/dead_letter.ts";
import { decodeMessage } from "../../../lib/message/envelope.ts";

const NOT_UTF8: Record<string, number[]> = {
  "a byte that begins nothing": [0xff],
  "half a character at the end": [0x7b, 0x7d, 0xe2, 0x82],
  "a surrogate": [0xed, 0xa0, 0x80],
  "too long a form": [0xc0, 0xaf],
  "Latin 1 in JSON": [...new TextEncoder().encode('{"data":{"name":"'), 0xe9, 0x22, 0x7d, 0x7d],
  "a replacement character beside it": [0xef, 0xbf, 0xbd, 0xfe],
};

for (const [what, bytes] of Object.entries(NOT_UTF8)) {
  Deno.test(`${what} is dead-lettered as the bytes that came, however often it is replayed (L8a)`, () => {
    const text = textOfBytes(Uint8Array.from(bytes));
    assert(standsForBytes(text));
    const error = assertThrows(() => decodeMessage(text), DeserializationError, "bytes are not UTF-8");
    let entry = text;
    for (let replays = 0; replays < 3; replays++) {
      const facts = {
        originalStream: "s",
        originalId: "1-0",
        consumerGroup: "g",
        consumer: "c",
        handler: "H",
      };
      const letter = renderDeadLetter(entry, { ...facts, retryCount: 1, failedAt: 0, error });
      assertEquals([...Buffer.from(JSON.parse(letter).base64, "base64")], bytes);
      entry = originalText(letter);
      assertEquals(entry, text);
    }
  });
}

Deno.test("what is UTF-8 is its text, whatever it holds", () => {
  for (const text of ["", "{}", "\ufffd", "\ufeff{}", "é\0😀\u2028", '{"base64":5}', '{"base64":"a b"}']) {
    assertEquals(textOfBytes(new TextEncoder().encode(text)), text);
    assert(!standsForBytes(text));
  }
});
