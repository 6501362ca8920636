import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { isUtf8 } from "node:buffer";
import { compareIdTexts, idTextBehind, isStreamId, parseStreamId } from "../../lib/adapters/stream_id.ts";
import { formatStreamId } from "../../lib/adapters/stream_id.ts";
import { DeserializationError, ValidationError } from "../../lib/errors.ts";
import { standsForBytes, textOfBytes } from "../../lib/message/bytes.ts";
import { canonicalJson, canonicalText } from "../../lib/message/canonical.ts";
import { checksumOf } from "../../lib/message/checksum.ts";
import { type DeadLetterFacts, originalText, parseDeadLetter } from "../../lib/message/dead_letter.ts";
import { renderDeadLetter } from "../../lib/message/dead_letter.ts";
import { takeApart } from "../../lib/message/dead_letter_text.ts";
import { decodeMessage, encodeRaw } from "../../lib/message/envelope.ts";
import { decodeForeign } from "../../lib/message/foreign.ts";
import { unstorable } from "../../lib/message/storable.ts";
import { withRawDigits } from "../../lib/message/exact_numbers.ts";
import { members } from "../../lib/message/json_text.ts";
import * as names from "../../lib/message/names.ts";
import { parseTime, timeText, utcTime } from "../../lib/message/time.ts";
import type { Message } from "../../lib/message/types.ts";
import { encodeMessage } from "../support/encode_message.ts";
import fc from "../support/property.ts";
import { model, text, value } from "../unit/message/arbitraries.ts";
import { DATA, FACTS as KNOWN, METADATA, pythonText, withMetadata } from "../unit/message/samples.ts";
import { write } from "../unit/message/slow_canonical.ts";
import { fuzz } from "./fuzz.ts";
import { mutated } from "./mutations.ts";

const MESSAGE = encodeMessage({ data: canonicalJson(DATA), metadata: METADATA });
const FACTS: DeadLetterFacts = { ...KNOWN, error: new Error("bug") };
const LETTER = renderDeadLetter(MESSAGE, FACTS);

const TOKENS = [
  ...['{"a":1}', "[]", "{}", "null", "true", "NaN", "-Infinity", "Infinity", "1e400", "10.0", "-0", "-0.0"],
  ...["9007199254740993", "123456789012345678901234567890", "1E-7", '""', '"x"', '"\\u0000"', '"\\ud800"'],
  ...['"data":', '"metadata":', '"headers":', '"id":null,', '"id":"",', '"stream":"",', '"checksum":null'],
  ...['"__proto__":{"polluted":1},', '"constructor":{"prototype":{"polluted":1}},', '"_dlq_metadata":{}'],
  ...[
    '"_dlq_metadata":{"replay_count":2},',
    '"raw":"x"',
    '{"base64":"/w=="}',
    '{"raw":"y"}',
    '"version":"v2"',
  ],
  ...[",", ":", "{", "}", "[", "]", '"', "\\", "\\u00", "\n", "\t", " ", "\0", "\ufeff", "\ud800", "\u2028"],
  ...["[".repeat(1200), "1".repeat(4301), '{"a":'.repeat(300), "]".repeat(40), "\ufffd", "🙂"],
];

const hostile = fc.oneof(
  value,
  fc.json().map((json) => JSON.parse(json)),
  fc.constantFrom<unknown>(1e400, "v2"),
);

/** Messages whose metadata holds anything at one place. */
const oddMetadata = fc.tuple(
  fc.constantFrom(
    ...Object.entries(METADATA).flatMap(([part, values]) =>
      Object.keys(values ?? {}).map((key) => [part, key] as const)
    ),
  ),
  hostile,
).map(([[part, key], given]) => withMetadata({ [part]: { [key]: given } }));

const wholes = fc.oneof(
  fc.constantFrom(
    MESSAGE,
    LETTER,
    renderDeadLetter("no JSON", FACTS),
    pythonText({ data: DATA, metadata: METADATA }),
    '{"raw":"x"}',
  ),
  oddMetadata,
  fc.tuple(model, fc.constantFrom("", " ", "\n")).map(([given, space]) =>
    encodeRaw(write({ kind: "object", members: [["a", given]] }, space, false), JSON.stringify(METADATA))
  ),
  fc.json(),
);

const texts = fc.oneof(
  { arbitrary: mutated(wholes, TOKENS), weight: 8 },
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.uint8Array({ maxLength: 60 }).map(textOfBytes),
);

/** Undefined: refused, in an error of ours. */
function decoded(given: string): Message | undefined {
  try {
    return decodeMessage(given);
  } catch (error) {
    assertInstanceOf(error, DeserializationError);
    return undefined;
  }
}

/** Undefined: what JSON cannot hold (1e400), or too deep. */
function printed(data: unknown): string | undefined {
  try {
    return canonicalJson(data);
  } catch (error) {
    assertInstanceOf(error, ValidationError);
    return undefined;
  }
}

fuzz(
  "a message is read, or refused in an error of ours, and is what it was when it is written again",
  {
    runs: 30_000,
    share: 5 / 96,
  },
  texts,
  (given) => {
    const message = decoded(given);
    if (!message) return;
    assertEquals(Object.keys(message.metadata), Object.keys(METADATA));
    for (const part of [message.data, message.metadata, message.metadata.headers, message.metadata.domain]) {
      assertEquals(Object.getPrototypeOf(part), Object.prototype);
    }
    const data = printed(message.data);
    if (data === undefined) return;
    const written = (checksum: string) =>
      encodeRaw(
        data,
        JSON.stringify(
          withRawDigits({ ...message.metadata, envelope: { ...message.metadata.envelope, checksum } }),
        ),
      );
    const again = decoded(written(checksumOf(data)));
    assert(again, "what was read is refused when it is written again");
    assertEquals(printed(again.data), data);
    const { envelope: _, ...rest } = message.metadata;
    const { envelope: __, ...restAgain } = again.metadata;
    assertEquals(restAgain, rest);
    assertEquals(decoded(written(checksumOf(`${data} `))), undefined, "a wrong checksum was accepted");
  },
);

fuzz(
  "another system's message is read, or refused in an error of ours; what it says of itself can be stored",
  { runs: 7_000, share: 1 / 96 },
  texts,
  (given) => {
    let message: Message;
    try {
      message = decodeForeign(given, 1_000_000, { stream: "payments", id: "1-0" });
    } catch (error) {
      return assertInstanceOf(error, DeserializationError);
    }
    assertEquals(Object.keys(message.metadata), Object.keys(METADATA));
    assertEquals(Object.getPrototypeOf(message.data), Object.prototype);
    const { headers: { id, stream, type }, domain: { correlation_id } } = message.metadata;
    for (const told of [id, stream, correlation_id]) {
      assert(told !== null && told !== "", "nothing tells it apart");
    }
    for (const told of [id, stream, type, correlation_id ?? ""]) {
      assertEquals(unstorable(told), undefined);
      assert(told.length <= 1024);
    }
  },
);

/** Undefined where it is no JSON that Python could read. */
function canonical(given: string): string | undefined {
  try {
    return canonicalText(given);
  } catch (error) {
    assertInstanceOf(error, DeserializationError);
    return undefined;
  }
}

const thrown = fc.oneof(
  text.map((message) => new Error(message)),
  fc.constantFrom<unknown>(
    null,
    undefined,
    1,
    "text",
    { a: 1 },
    new Error("first", { cause: new TypeError("x") }),
  ),
);

fuzz(
  "a message is in its dead letter once, and comes back as it was",
  { runs: 6_200, share: 3 / 48 },
  fc.record({
    given: texts,
    error: thrown,
    reason: fc.option(text, { nil: undefined }),
  }),
  ({ given, error, reason }) => {
    const facts = { ...FACTS, error, ...(reason !== undefined && { reason }) };
    const parts = takeApart(given);
    const entry = renderDeadLetter(given, facts);
    assertEquals(members(entry).filter(({ key }) => key === "_dlq_metadata").length, 1);
    const original = originalText(entry);
    if (!parts.isObject || parts.original !== given) assertEquals(original, parts.original);
    else assertEquals(canonical(original), canonical(given));
    const letter = parseDeadLetter(entry);
    assertEquals([letter.text, letter.consumerGroup, letter.retryCount], [original, FACTS.consumerGroup, 3]);
    assertEquals(
      parts.metadata === undefined ? 0 : parseDeadLetter(given).replayCount + 1,
      letter.replayCount,
    );

    const again = renderDeadLetter(entry, facts);
    assertEquals(originalText(again), original);
    assertEquals(parseDeadLetter(again).replayCount, letter.replayCount + 1);

    const before = decoded(parts.original);
    const after = decoded(original);
    assertEquals(after, before);
  },
);

fuzz(
  "bytes are the text that they are, or are kept as bytes",
  { runs: 3_700, share: 1 / 96 },
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    mutated(fc.constant(MESSAGE), TOKENS).map((given) => new TextEncoder().encode(given)),
  ),
  (bytes) => {
    const given = textOfBytes(bytes);
    if (isUtf8(bytes)) assertEquals(new TextEncoder().encode(given), bytes);
    else {
      assert(standsForBytes(given));
      assertEquals(Uint8Array.from(atob(JSON.parse(given).base64), (unit) => unit.charCodeAt(0)), bytes);
    }
    assertEquals(originalText(renderDeadLetter(given, FACTS)), given);
  },
);

const times = fc.oneof(
  hostile,
  fc.double(),
  mutated(
    fc.constantFrom(
      "2026-11-22T14:11:31.746953+00:00",
      "2026-11-22 14:11:31Z",
      "2026-11-22",
      "1795356754.5",
      "20261122",
    ),
    ["+14:00", "-23:59", "T", "24:00", "99999999999999999999", "0000", ".", "-", "e9", "Z", ",", "٣"],
  ),
);

fuzz("a time is read as one time, or is none", { runs: 19_000, share: 1 / 96 }, times, (given) => {
  const read = utcTime(given);
  if (read === undefined || read === null) return;
  assertEquals(utcTime(read), read);
  const epochMs = parseTime(read);
  if (epochMs !== undefined) assertEquals(parseTime(timeText(epochMs)), epochMs);
});

const words = fc.oneof(
  text,
  mutated(
    fc.constantFrom("my_domain", "HTTPThing", "Ann's Shop", "Shop.OrderPlaced.v1", "shop::order-ord-1"),
    [
      ...[".", "-", "::", ":", "_id", "'", "É", "ß", "İ", "ﬁ", " ", "v0", "v99999999999999999999", ":dlq"],
    ],
  ),
);

fuzz(
  "names are names, and a type is taken apart as it was put together",
  { runs: 15_000, share: 1 / 96 },
  fc.tuple(words, words),
  (
    [domain, name],
  ) => {
    assert(/^[a-z0-9_]*$/.test(names.normalizedDomain(domain)));
    assert(/^[A-Za-z0-9]*$/.test(names.camelDomain(domain)));
    names.parseTypeString(name);
    const type = names.typeString(domain, name, 7);
    if (names.camelDomain(domain) !== "" && /^[^.\s]+$/.test(name)) {
      assertEquals(names.parseTypeString(type), { domain: names.camelDomain(domain), name, version: 7 });
    }
    const category = names.aggregateCategory(domain, name);
    assert(!category.includes("-"));
    assertEquals(names.categoryOf(names.streamOf(category, domain)), category);
  },
);

const ids = fc.oneof(
  mutated(fc.constantFrom("1795356754518-0", "18446744073709551615-18446744073709551615", "0-0", "7"), [
    ...["-", "9", "00", "+", " ", "\n", "٣", "18446744073709551616"],
  ]),
  fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.bigInt({ min: 0n, max: 2n ** 64n })).map(([a, b]) =>
    `${a}-${b}`
  ),
);

fuzz(
  "ids of streams are ordered, and what is none is known for none",
  { runs: 21_000, share: 1 / 96 },
  fc.tuple(ids, ids),
  ([a, b]) => {
    const id = parseStreamId(a);
    if (id) {
      assert(isStreamId(a));
      assertEquals(parseStreamId(formatStreamId(id)), id);
    }
    assertEquals(compareIdTexts(a, b) + compareIdTexts(b, a), 0);
    if (isStreamId(a) && !/-18446744073709551615$/.test(a)) {
      assert(compareIdTexts(idTextBehind(a), a) > 0);
      if (isStreamId(b) && compareIdTexts(b, a) > 0) assert(compareIdTexts(b, idTextBehind(a)) >= 0);
    }
  },
);
