import { assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "../../support/property.ts";
import { DeserializationError } from "../../../lib/errors.ts";
import { canonicalJson, canonicalText } from "../../../lib/message/canonical.ts";
import { checksumOf } from "../../../lib/message/checksum.ts";
import { parseWithExactKeys } from "../../../lib/message/exact_keys.ts";
import { decodeMessage, encodeRaw, MAX_MESSAGE_BYTES } from "../../../lib/message/envelope.ts";
import { encodeMessage } from "../../support/encode_message.ts";
import { commandMetadata, eventMetadata } from "../../../lib/message/metadata.ts";
import type { MessageMetadata } from "../../../lib/message/types.ts";
import { payload, text } from "./arbitraries.ts";
import { DATA, METADATA, pythonText, withMetadata } from "./samples.ts";

Deno.test("encodeMessage writes the canonical payload first, without spaces", () => {
  const encoded = encodeMessage({ data: canonicalJson(DATA), metadata: METADATA });
  assertEquals(
    encoded,
    `{"data":{"customer":"Ann","order_id":"ord-1","price":1.5},"metadata":${JSON.stringify(METADATA)}}`,
  );
  assertEquals(encodeRaw(canonicalJson(DATA), JSON.stringify(METADATA)), encoded);
});

Deno.test("a message reads the same whether we or Python wrote it", () => {
  const expected = { data: DATA, metadata: METADATA };
  assertEquals(decodeMessage(encodeMessage({ data: canonicalJson(DATA), metadata: METADATA })), expected);
  assertEquals(decodeMessage(pythonText({ data: DATA, metadata: METADATA })), expected);
  assertEquals(decodeMessage(pythonText({ metadata: METADATA, data: DATA })), expected);
});

Deno.test("a message that Python wrote, byte for byte, reads with its checksum verified", () => {
  const observed =
    '{"data": {"order_id": "ord-1", "customer": "Ann", "note": "<b>x</b>"}, "metadata": {"headers": ' +
    '{"id": "shop::order-ord-1-0.1", "time": "2026-11-22T14:11:31.746953+00:00", "type": "Shop.OrderPlaced.v1", ' +
    '"stream": "shop::order-ord-1", "traceparent": null, "idempotency_key": null, "deadline": null}, "envelope": ' +
    '{"specversion": "1.0", "checksum": "58bf897994a41cef764f0975ead51cda936b7f3aba62497e37916681272cb804"}, "domain": ' +
    '{"fqn": "shop.domain.OrderPlaced", "kind": "EVENT", "origin_stream": null, "stream_category": "shop::order", ' +
    '"version": 1, "sequence_id": "0.1", "asynchronous": true, "expected_version": null, "priority": 0, ' +
    '"correlation_id": null, "causation_id": null}, "event_store": null, "extensions": {}}}';
  assertEquals(decodeMessage(observed).data, { order_id: "ord-1", customer: "Ann", note: "<b>x</b>" });
  assertThrows(() => decodeMessage(observed.replace('"Ann"', '"Bob"')), DeserializationError, "checksum");
});

const refused: [string, string | undefined, string][] = [
  ["no field data", undefined, "no field 'data'"],
  ["empty text", "", "expected a value at character 1"],
  ["text that is no JSON", '{"data":', "The text is not JSON: expected a value at character 9."],
  ["an array", "[]", "not a JSON object"],
  ["null", "null", "not a JSON object"],
  ["a string", '"{}"', "not a JSON object"],
  ["no metadata", '{"data":{}}', "no 'metadata'"],
  ["metadata null", '{"data":{},"metadata":null}', "'metadata' is not an object"],
  ["no data", JSON.stringify({ metadata: METADATA }), "no 'data'"],
  ["data null", JSON.stringify({ data: null, metadata: METADATA }), "'data' is not an object"],
  ["data that is an array", JSON.stringify({ data: [], metadata: METADATA }), "'data' is not an object"],
  ["no headers", JSON.stringify({ data: DATA, metadata: { ...METADATA, headers: null } }), "headers.type"],
  ["no type", withMetadata({ headers: { type: null } }), "headers.type"],
  ["a deadline that is no time", withMetadata({ headers: { deadline: "soon" } }), "headers.deadline"],
  ["no domain", JSON.stringify({ data: DATA, metadata: { ...METADATA, domain: undefined } }), "domain.kind"],
  ["domain null", JSON.stringify({ data: DATA, metadata: { ...METADATA, domain: null } }), "domain.kind"],
  ["no kind", withMetadata({ domain: { kind: undefined } }), "domain.kind"],
  ["an event-store position", withMetadata({ domain: { kind: "READ_POSITION" } }), "domain.kind"],
  [
    "a wrong checksum",
    withMetadata({ envelope: { checksum: "0".repeat(64) } }),
    "does not match its checksum",
  ],
  ["a checksum that is no text", withMetadata({ envelope: { checksum: 1 } }), "does not match its checksum"],
];
for (const [what, given, message] of refused) {
  Deno.test(`decodeMessage refuses ${what}: ${message}`, () => {
    const error = assertThrows(() => decodeMessage(given), DeserializationError, message);
    assertEquals(error.code, "DESERIALIZATION");
  });
}

Deno.test("a refusal never quotes the payload", () => {
  for (
    const given of [
      '{"secret":hunter2}',
      withMetadata({ envelope: { checksum: "hunter1" } }).replace("Ann", "hunter2"),
    ]
  ) {
    const error = assertThrows(() => decodeMessage(given), DeserializationError);
    assertFalse(Deno.inspect(error).includes("hunter2"));
  }
});

/** What becomes of each unusual but acceptable input (wire 1.3). */
const tolerated: [
  string,
  string,
  Partial<{ [part in keyof MessageMetadata]: Record<string, unknown> | null }>,
][] = [
  ["no checksum", withMetadata({ envelope: { checksum: null } }), {
    envelope: { specversion: "1.0", checksum: null },
  }],
  ["an empty checksum", withMetadata({ envelope: { checksum: "" } }), {
    envelope: { specversion: "1.0", checksum: null },
  }],
  ["no envelope", withMetadata({}, { envelope: undefined }), {
    envelope: { specversion: "1.0", checksum: null },
  }],
  ["envelope null", withMetadata({}, { envelope: null }), {
    envelope: { specversion: "1.0", checksum: null },
  }],
  [
    "unknown keys",
    withMetadata({ headers: { a: 1 }, envelope: { b: 1 }, domain: { c: 1 } }, { d: 1 }),
    METADATA_PARTS(),
  ],
  ["version as text", withMetadata({ domain: { version: "v2" } }), {
    domain: { ...METADATA.domain, version: 2 },
  }],
  ["version that is none", withMetadata({ domain: { version: "new" } }), {
    domain: { ...METADATA.domain, version: 1 },
  }],
  ["no time", withMetadata({ headers: { time: null } }), { headers: { ...METADATA.headers, time: null } }],
  ["time in Zulu", withMetadata({ headers: { time: "2026-11-22T14:11:31Z" } }), {
    headers: { ...METADATA.headers, time: "2026-11-22T14:11:31Z" },
  }],
  [
    "time elsewhere",
    withMetadata({ headers: { time: "2026-11-22T16:11:31.746953+02:00" } }),
    METADATA_PARTS(),
  ],
  ["time that is none", withMetadata({ headers: { time: "noon" } }), {
    headers: { ...METADATA.headers, time: null },
  }],
  [
    "a deadline in epoch seconds",
    withMetadata({ headers: { deadline: 1795356691.5 } }),
    { headers: { ...METADATA.headers, deadline: "2026-11-22T14:11:31.500000+00:00" } },
  ],
  [
    "a trace parent",
    withMetadata({ headers: { traceparent: { trace_id: "a", parent_id: "b", sampled: true, c: 1 } } }),
    { headers: { ...METADATA.headers, traceparent: { trace_id: "a", parent_id: "b", sampled: true } } },
  ],
  ["a trace parent as text", withMetadata({ headers: { traceparent: "00-a-b-01" } }), METADATA_PARTS()],
  ["no id, no stream", withMetadata({ headers: { id: null, stream: undefined } }), {
    headers: { ...METADATA.headers, id: "", stream: "" },
  }],
  ["a numeric id", withMetadata({ headers: { id: 7 } }), { headers: { ...METADATA.headers, id: "7" } }],
  ["a numeric sequence id", withMetadata({ domain: { sequence_id: 3 } }), {
    domain: { ...METADATA.domain, sequence_id: "3" },
  }],
  ["sync events", withMetadata({ domain: { asynchronous: false } }), {
    domain: { ...METADATA.domain, asynchronous: false },
  }],
  ["a priority that is none", withMetadata({ domain: { priority: "high" } }), METADATA_PARTS()],
  ["a position", withMetadata({}, { event_store: { global_position: 9, position: null } }), {
    event_store: { global_position: 9, position: null },
  }],
  ["no extensions", withMetadata({}, { extensions: null }), { extensions: {} }],
  ["extensions", withMetadata({}, { extensions: { tenant: "a", _dropped_fields: [] } }), {
    extensions: { tenant: "a", _dropped_fields: [] },
  }],
];
function METADATA_PARTS() {
  return { headers: { ...METADATA.headers }, domain: { ...METADATA.domain } };
}
for (const [what, given, expected] of tolerated) {
  Deno.test(`decodeMessage accepts ${what}`, () => {
    assertEquals(decodeMessage(given), {
      data: DATA,
      metadata: { ...METADATA, ...expected } as MessageMetadata,
    });
  });
}

Deno.test("a type and a kind are enough", () => {
  const given = '{"data":{},"metadata":{"headers":{"type":"Shop.Paid.v1"},"domain":{"kind":"EVENT"}}}';
  const expected = eventMetadata({
    id: "",
    time: null,
    type: "Shop.Paid.v1",
    stream: "",
    category: "",
    checksum: null,
  });
  assertEquals(decodeMessage(given).metadata, {
    ...expected,
    domain: { ...expected.domain, stream_category: null },
  });
});

Deno.test("the flat metadata of old Protean versions is reshaped, its payload hash dropped", () => {
  const metadata = {
    id: "shop::order-1-0.1",
    type: "Shop.OrderPlaced.v1",
    fqn: "shop.OrderPlaced",
    kind: "EVENT",
    stream: "shop::order-1",
    origin_stream: "shop::cart-1",
    timestamp: "2024-01-02T03:04:05+00:00",
    version: "v3",
    sequence_id: "0.1",
    payload_hash: -123456,
    asynchronous: false,
  };
  const expected = eventMetadata({
    id: metadata.id,
    time: metadata.timestamp,
    type: metadata.type,
    fqn: metadata.fqn,
    stream: metadata.stream,
    originStream: metadata.origin_stream,
    category: "",
    version: 3,
    sequenceId: "0.1",
    asynchronous: false,
    checksum: null,
  });
  assertEquals(decodeMessage(JSON.stringify({ data: DATA, metadata })), {
    data: DATA,
    metadata: { ...expected, domain: { ...expected.domain, stream_category: null } },
  });
});

Deno.test("keys beside data and metadata are passed over", () => {
  const given = `${withMetadata({}).slice(0, -1)},"_dlq_metadata":{"retry_count":3},"metadata2":1}`;
  assertEquals(decodeMessage(given), { data: DATA, metadata: METADATA });
});

Deno.test("a payload with Python's NaN and Infinity reads as null, its checksum verified", () => {
  const data = '{"a": NaN, "b": [-Infinity, "NaN \\\\\\" Infinity"], "c": 1.0}';
  const metadata = JSON.stringify({ ...METADATA, envelope: { checksum: checksumOf(canonicalText(data)) } });
  assertEquals(decodeMessage(`{"data": ${data}, "metadata": ${metadata}}`).data, {
    a: null,
    b: [null, 'NaN \\" Infinity'],
    c: 1,
  });
});

Deno.test("a key __proto__ reaches no prototype", () => {
  const evil = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  const metadata = JSON.stringify({ ...METADATA, envelope: { checksum: checksumOf(canonicalText(evil)) } });
  const given =
    `{"__proto__":{"metadata":1},"data":${evil},"metadata":{"__proto__":${evil},"extensions":${evil},${
      metadata.slice(1).replace(',"extensions":{}', "")
    }}`;
  const message = decodeMessage(given);
  assertStrictEquals(Object.getPrototypeOf(message.data), Object.prototype);
  assertStrictEquals(Object.getPrototypeOf(message.metadata), Object.prototype);
  assertStrictEquals(Object.getPrototypeOf(message.metadata.extensions), Object.prototype);
  assertEquals(({} as Record<string, unknown>)["polluted"], undefined);
  assertEquals(message.data["polluted"], undefined);
});

Deno.test("a message without type is refused even when a __proto__ key offers one", () => {
  const given =
    '{"data":{},"metadata":{"__proto__":{"headers":{"type":"A.B.v1"}},"domain":{"kind":"EVENT"}}}';
  assertThrows(() => decodeMessage(given), DeserializationError, "headers.type");
});

Deno.test("a message larger than the limit is refused, counted in bytes", () => {
  const given = withMetadata({ envelope: { checksum: null } }).replace('"Ann"', '"é"');
  const bytes = new TextEncoder().encode(given).length;
  assertEquals(bytes, given.length + 1);
  assertEquals(decodeMessage(given, bytes).data["customer"], "é");
  assertThrows(() => decodeMessage(given, bytes - 1), DeserializationError, `limit of ${bytes - 1} bytes`);
  assertThrows(
    () => decodeMessage("x".repeat(MAX_MESSAGE_BYTES + 1)),
    DeserializationError,
    "limit of 8388608 bytes",
  );
});

Deno.test("a payload nested too deep for its checksum is refused, not a stack overflow", () => {
  const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const given = `{"data": ${deep}, "metadata": ${JSON.stringify(METADATA)}}`;
  assertThrows(() => decodeMessage(given), DeserializationError, "cannot be computed");
});

const metadata: fc.Arbitrary<MessageMetadata> = fc.record({
  id: text,
  time: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 4e12 })),
  type: fc.constantFrom("Shop.OrderPlaced.v1", "Shop.Ünï.v2"),
  stream: text,
  category: text,
  correlationId: fc.option(text),
  causationId: fc.option(text),
  originStream: fc.option(text),
  sequenceId: fc.option(text),
  version: fc.integer({ min: 1 }),
  priority: fc.integer(),
  asynchronous: fc.boolean(),
  idempotencyKey: fc.option(text),
  deadline: fc.option(fc.integer({ min: 0, max: 4e12 })),
  traceparent: fc.option(
    fc.record({ trace_id: text, parent_id: text, sampled: fc.boolean() }, { noNullPrototype: true }),
  ),
  extensions: payload.map((extensions) =>
    parseWithExactKeys(JSON.stringify(extensions)) as Record<string, unknown>
  ),
  checksum: fc.constant(null),
}).chain((options) => fc.constantFrom(eventMetadata(options), commandMetadata(options)));

Deno.test("whatever is encoded is decoded alike, with its checksum verified, also from Python's text", () => {
  fc.assert(
    fc.property(payload, metadata, (data, unsigned) => {
      const canonical = canonicalJson(data);
      const signed = { ...unsigned, envelope: { ...unsigned.envelope, checksum: checksumOf(canonical) } };
      const expected = { data: parseWithExactKeys(canonical) as Record<string, unknown>, metadata: signed };
      assertEquals(decodeMessage(encodeMessage({ data: canonical, metadata: signed })), expected);
      const python = pythonText({ data: parseWithExactKeys(JSON.stringify(data)), metadata: signed });
      assertEquals(decodeMessage(python).metadata, signed);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a change of any byte of the payload is noticed", () => {
  const given = encodeMessage({ data: canonicalJson(DATA), metadata: METADATA });
  const from = '{"data":'.length;
  const to = given.indexOf(',"metadata"');
  for (let at = from; at < to; at++) {
    const changed = given.slice(0, at) + String.fromCharCode(given.charCodeAt(at) ^ 1) + given.slice(at + 1);
    assertThrows(() => decodeMessage(changed), DeserializationError);
  }
});

/**
 * A message whose checksum is right for what it shows first, and whose data is another (L1, sec-checksum).
 */
const meta = (checksum: unknown) =>
  `"metadata":{"headers":{"id":"m","type":"Fz.Happened.v2","stream":"s"},"envelope":{"checksum":${
    JSON.stringify(checksum)
  }},"domain":{"kind":"EVENT"}}`;
const good = checksumOf('{"id":"good"}');
const inner = ',"metadata":{"a":1}}';
const FORGED: Record<string, string> = {
  "a second data": `{"data":{"id":"good"},${meta(good)},"data":{"id":"evil"}}`,
  "a second data with blanks": `{"data":{"id":"good"},${meta(good)} , "data" : {"id":"evil"}}`,
  "a second data in escapes": `{"data":{"id":"good"},${meta(good)},"d\\u0061ta":{"id":"evil"}}`,
  "hashed up to an inner metadata": `{"data":{"id":"evil"${inner},${meta(checksumOf('{"id":"evil"'))}}`,
  "true": `{"data":{"id":"evil"},${meta(true)}}`,
  "an object": `{"data":{"id":"evil"},${meta({ a: 1 })}}`,
  "a number": `{"data":{"id":"evil"},${meta(12)}}`,
  "false": `{"data":{"id":"evil"},${meta(false)}}`,
  "a list": `{"data":{"id":"evil"},${meta([])}}`,
};
for (const [what, text] of Object.entries(FORGED)) {
  Deno.test(`sec-checksum: ${what} is refused`, () =>
    void assertThrows(() => decodeMessage(text), DeserializationError, "checksum"));
}

Deno.test("sec-checksum: the last data is the one that is verified and used", () => {
  const right = checksumOf('{"id":"evil"}');
  assertEquals(decodeMessage(`{"data":{"id":"good"},${meta(right)},"data":{"id":"evil"}}`).data, {
    id: "evil",
  });
  for (const none of [null, "", undefined]) {
    assertEquals(decodeMessage(`{"data":{"id":"a"},${meta(none ?? null)}}`).metadata.envelope.checksum, null);
  }
});

Deno.test("NaN beside a string of millions of escapes is read, as Python reads it (L8b)", () => {
  const long = "\\u0001".repeat(3_500_000);
  const text =
    `{"data":{"a":NaN,"b":"${long}","c":[-Infinity,"NaN"]},${'"metadata":{"headers":{"type":"A.B.v1"},"domain":{"kind":"EVENT"}}}'}`;
  const { data } = decodeMessage(text, 100_000_000);
  assertEquals([data["a"], data["c"], String(data["b"]).length], [null, [null, "NaN"], long.length / 6]);
});
