import { assertEquals } from "@std/assert";
import { renderDeadLetter } from "../../../lib/message/dead_letter.ts";
import { decodeMessage, streamIn } from "../../../lib/message/envelope.ts";
import { encodeEvent } from "../../support/encode_message.ts";

const TEXT = encodeEvent({ type: "T.E.v1", category: "t::e", id: 'é"1', n: 1, time: 0, data: { n: 1 } });

Deno.test("streamIn is what decoding says, for a message and for its dead letter", () => {
  const { stream } = decodeMessage(TEXT).metadata.headers;
  assertEquals(streamIn(TEXT), stream);
  const letter = renderDeadLetter(TEXT, {
    ...{ originalStream: "t::e", originalId: "1-0", consumerGroup: "g", consumer: "c", handler: "h" },
    ...{ retryCount: 1, failedAt: 0, error: new Error("bug") },
  });
  assertEquals(streamIn(letter), stream);
});

for (
  const [what, text] of [
    ["no data", undefined],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no metadata", "{}"],
    ["metadata that is no object", '{"metadata":[]}'],
    ["no headers", '{"metadata":{}}'],
    ["a stream that is null", '{"metadata":{"headers":{"stream":null}}}'],
    ["a stream that is a number", '{"metadata":{"headers":{"stream":1}}}'],
    ["the word in a text", '{"data":"\\"metadata\\":{\\"headers\\":{\\"stream\\":\\"x\\"}}"}'],
  ] as const
) {
  Deno.test(`streamIn is empty for ${what}`, () => assertEquals(streamIn(text), ""));
}

Deno.test("streamIn takes the last of repeated keys, as parsers do", () => {
  const headers = '{"stream":"a","stream":"b"}';
  assertEquals(streamIn(`{"metadata":{"headers":{"stream":"c"}},"metadata":{"headers":${headers}}}`), "b");
});
