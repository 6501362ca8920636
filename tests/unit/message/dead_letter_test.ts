import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import fc from "../../support/property.ts";
import { DeserializationError } from "../../../lib/errors.ts";
import { canonicalJson, canonicalText } from "../../../lib/message/canonical.ts";
import {
  type DeadLetterFacts,
  originalText,
  parseDeadLetter,
  renderDeadLetter,
} from "../../../lib/message/dead_letter.ts";
import { memberText } from "../../../lib/message/json_text.ts";
import { decodeMessage } from "../../../lib/message/envelope.ts";
import { encodeMessage } from "../../support/encode_message.ts";
import { key, model } from "./arbitraries.ts";
import { DATA, FACTS as KNOWN, METADATA, pythonText } from "./samples.ts";
import { write } from "./slow_canonical.ts";

class CardRefused extends Error {}

const FACTS: DeadLetterFacts = {
  ...KNOWN,
  firstFailedAt: Date.UTC(2026, 10, 22, 14, 11, 20),
  error: new CardRefused("The card was refused."),
};

const MESSAGE = encodeMessage({ data: canonicalJson(DATA), metadata: METADATA });

Deno.test("a dead letter is the message with _dlq_metadata beside its own keys", () => {
  const entry = renderDeadLetter(MESSAGE, FACTS);
  assert(entry.startsWith(MESSAGE.slice(0, -1) + ',"_dlq_metadata":{'));
  const { _dlq_metadata: facts, ...message } = JSON.parse(entry);
  assertEquals(message, JSON.parse(MESSAGE));
  const { error_stack, ...rest } = facts;
  assertStringIncludes(error_stack, "The card was refused.");
  assertEquals(rest, {
    original_stream: "shop::order",
    original_id: "1795356754518-0",
    consumer_group: "shop.OrderEventHandler",
    consumer: "OrderEventHandler-vm-15885-5bc18a",
    failed_at: "2026-11-22T14:11:31.746000+00:00",
    retry_count: 3,
    failure_reason: "CardRefused: The card was refused.",
    error_type: "CardRefused",
    error_message: "The card was refused.",
    handler: "OrderEventHandler",
    first_failed_at: "2026-11-22T14:11:20.000000+00:00",
    message_id: "shop::order-ord-1-0.1",
    correlation_id: "corr-1",
    replay_count: 0,
  });
});

Deno.test("a dead letter still reads as the message that it was", () => {
  assertEquals(decodeMessage(renderDeadLetter(MESSAGE, FACTS)), { data: DATA, metadata: METADATA });
});

Deno.test("parseDeadLetter reads everything that was rendered", () => {
  const letter = parseDeadLetter(renderDeadLetter(MESSAGE, FACTS));
  assertStringIncludes(letter.errorStack ?? "", "The card was refused.");
  assertEquals({ ...letter, errorStack: null }, {
    originalStream: "shop::order",
    originalId: "1795356754518-0",
    consumerGroup: "shop.OrderEventHandler",
    consumer: "OrderEventHandler-vm-15885-5bc18a",
    handler: "OrderEventHandler",
    failedAt: "2026-11-22T14:11:31.746000+00:00",
    firstFailedAt: "2026-11-22T14:11:20.000000+00:00",
    retryCount: 3,
    replayCount: 0,
    failureReason: "CardRefused: The card was refused.",
    errorType: "CardRefused",
    errorMessage: "The card was refused.",
    errorStack: null,
    messageId: "shop::order-ord-1-0.1",
    messageType: "Shop.OrderPlaced.v1",
    correlationId: "corr-1",
    message: JSON.parse(MESSAGE),
    text: MESSAGE,
  });
});

Deno.test("without facts to the contrary the first failure is this one, and a reason given replaces the error's", () => {
  const { firstFailedAt: _, ...facts } = FACTS;
  const letter = parseDeadLetter(renderDeadLetter(MESSAGE, { ...facts, reason: "given up" }));
  assertEquals(letter.firstFailedAt, letter.failedAt);
  assertEquals([letter.failureReason, letter.errorType], ["given up", "CardRefused"]);
});

Deno.test("an entry that was replayed and fails again keeps its first failure and counts the replay", () => {
  const later = {
    ...FACTS,
    originalId: "9-0",
    failedAt: FACTS.failedAt + 60_000,
    firstFailedAt: FACTS.failedAt + 50_000,
  };
  const once = renderDeadLetter(MESSAGE, FACTS);
  const twice = renderDeadLetter(renderDeadLetter(once, later), { ...later, retryCount: 1 });
  const letter = parseDeadLetter(twice);
  assertEquals(letter.replayCount, 2);
  assertEquals(letter.retryCount, 1);
  assertEquals(letter.originalId, "9-0");
  assertEquals(letter.firstFailedAt, "2026-11-22T14:11:20.000000+00:00");
  assertEquals(letter.failedAt, "2026-11-22T14:12:31.746000+00:00");
  assertEquals(twice.split('"_dlq_metadata"').length, 2);
  assertEquals(originalText(twice), MESSAGE);
});

/** Python's entry of wire 2.8. */
const PYTHON_ENTRY = pythonText({
  data: DATA,
  metadata: METADATA,
  _dlq_metadata: {
    original_stream: "shop::order",
    original_id: "1795356754518-0",
    consumer_group: "shop.domain.OrderViewProjector",
    consumer: "OrderViewProjector-vm-15885-5bc18a",
    failed_at: "2026-11-22T14:11:31.746953+00:00",
    retry_count: 3,
  },
});

Deno.test("Python's entry reads with the reason unknown", () => {
  const letter = parseDeadLetter(PYTHON_ENTRY, { stream: "shop::order:dlq", id: "7-0" });
  assertEquals({ ...letter, message: null, text: "" }, {
    originalStream: "shop::order",
    originalId: "1795356754518-0",
    consumerGroup: "shop.domain.OrderViewProjector",
    consumer: "OrderViewProjector-vm-15885-5bc18a",
    handler: null,
    failedAt: "2026-11-22T14:11:31.746953+00:00",
    firstFailedAt: "2026-11-22T14:11:31.746953+00:00",
    retryCount: 3,
    replayCount: 0,
    failureReason: "unknown",
    errorType: null,
    errorMessage: null,
    errorStack: null,
    messageId: "shop::order-ord-1-0.1",
    messageType: "Shop.OrderPlaced.v1",
    correlationId: "corr-1",
    message: null,
    text: "",
  });
  assertEquals(letter.message, { data: DATA, metadata: METADATA });
  assertEquals(decodeMessage(originalText(PYTHON_ENTRY)), { data: DATA, metadata: METADATA });
});

Deno.test("an entry without _dlq_metadata falls back to where it lies", () => {
  const place = { stream: "shop::order:command:dlq", id: "7-0" };
  for (const entry of [MESSAGE, '{"a":1,"_dlq_metadata":null}', "{}", "no JSON", "[]", undefined]) {
    const letter = parseDeadLetter(entry, place);
    assertEquals(letter.originalStream, "shop::order:command");
    assertEquals(letter.originalId, "7-0");
    assertEquals([letter.consumerGroup, letter.failureReason, letter.failedAt], ["", "unknown", null]);
    assertEquals([letter.retryCount, letter.replayCount], [0, 0]);
  }
  assertEquals(parseDeadLetter("no JSON").message, undefined);
  assertEquals(parseDeadLetter("no JSON").text, "no JSON");
});

Deno.test("counts in digits are read, others are 0", () => {
  const count = (retry: unknown) =>
    parseDeadLetter(JSON.stringify({ _dlq_metadata: { retry_count: retry } })).retryCount;
  assertEquals([3, "3", "x", null, 1.5, [4]].map(count), [3, 3, 0, 0, 0, 0]);
});

const raws = [
  "",
  "no JSON",
  '{"data":',
  "[1, 2.0]",
  "null",
  '"text"',
  "\ud800 \u{1f600} é\n",
  "1.0",
  '{"raw":"inner"}',
];
for (const raw of raws) {
  Deno.test(`text that is no JSON object is wrapped and comes back as it was: ${JSON.stringify(raw)}`, () => {
    const error = new DeserializationError("The message is not a JSON object.");
    const entry = renderDeadLetter(raw, { ...FACTS, error });
    const parsed = JSON.parse(entry);
    assertEquals(Object.keys(parsed), ["raw", "_dlq_metadata"]);
    assertEquals(parsed.raw, raw);
    assertEquals(originalText(entry), raw);
    const again = renderDeadLetter(entry, { ...FACTS, error });
    assertEquals(JSON.parse(again).raw, raw);
    assertEquals(originalText(again), raw);
    assertEquals(parseDeadLetter(again).replayCount, 1);
    assertEquals(parseDeadLetter(again).message, undefined);
    assertEquals(parseDeadLetter(again).text, raw);
  });
}

Deno.test("an entry that had no data at all is wrapped as empty text", () => {
  assertEquals(originalText(renderDeadLetter(undefined, FACTS)), "");
});

const objects: [string, string][] = [
  ["no members", "{}"],
  ["white space", ' { "a" : 1.0 } \n'],
  ["empty with white space", "{ \n}"],
  ["a raw among others", '{"raw":"x","data":{}}'],
  ["a raw that is no text", '{"raw":{}}'],
  ["a closing brace in a text", '{"a":"}"}'],
  ["NaN and large integers", '{"a":NaN,"b":12345678901234567890,"c":1e400}'],
  ["_dlq_metadata inside the payload", '{"data":{"_dlq_metadata":{"replay_count":9}}}'],
  ["a key __proto__", '{"__proto__":{"a":1}}'],
];
for (const [what, given] of objects) {
  Deno.test(`an object keeps its text through the dead-letter queue: ${what}`, () => {
    const entry = renderDeadLetter(given, FACTS);
    assertEquals(parseDeadLetter(entry).replayCount, 0);
    assertEquals(parseDeadLetter(entry).errorType, "CardRefused");
    assertEquals(canonicalText(originalText(entry)), canonicalText(given));
  });
}

Deno.test("text without _dlq_metadata is its own original", () => {
  for (const given of [MESSAGE, "no JSON", "", '{"raw":"x"}', ' {"a": 1} ']) {
    assertEquals(originalText(given), given);
  }
});

Deno.test("_dlq_metadata goes from wherever it stands, however often", () => {
  assertEquals(originalText('{"_dlq_metadata":{},"a":1.0}'), '{"a":1.0}');
  assertEquals(originalText('{"a":1.0, "_dlq_metadata": {"x": "}"}, "b":2}'), '{"a":1.0,"b":2}');
  assertEquals(originalText('{"_dlq_metadata":1,"a":1.0,"_dlq_metadata":{}}'), '{"a":1.0}');
  assertEquals(originalText('{"_dlq_metadata":{}}'), "{}");
});

Deno.test("any object survives dead-lettering and replay with its number lexemes", () => {
  const object = fc.array(fc.tuple(key, model), { maxLength: 6 }).filter((members) =>
    members.every(([name]) => name !== "_dlq_metadata")
  );
  fc.assert(fc.property(object, fc.constantFrom("", " ", "\n"), (entries, space) => {
    const given = write({ kind: "object", members: entries }, space, false);
    const entry = renderDeadLetter(given, FACTS);
    for (const [name] of entries) assertEquals(memberText(entry, name), memberText(given, name));
    const again = renderDeadLetter(entry, FACTS);
    assertEquals(canonicalText(originalText(again)), canonicalText(given));
    for (const [name] of entries) {
      assertEquals(memberText(originalText(again), name), memberText(given, name));
    }
  }));
});

Deno.test("error texts are cut at 4096 bytes, at whole characters", () => {
  const error = new Error("é😀".repeat(5000));
  const letter = parseDeadLetter(renderDeadLetter(MESSAGE, { ...FACTS, error }));
  for (const cut of [letter.errorMessage ?? "", letter.errorStack ?? ""]) {
    const bytes = new TextEncoder().encode(cut).length;
    assertLessOrEqual(bytes, 4096);
    assert(bytes > 4090);
    assert(!cut.includes("\ufffd") && cut.isWellFormed());
  }
});

Deno.test("a stack is followed by the stacks of its causes", () => {
  const cause = new TypeError("first");
  const error = new Error("second", { cause });
  const { errorStack } = parseDeadLetter(renderDeadLetter(MESSAGE, { ...FACTS, error }));
  assertStringIncludes(errorStack ?? "", "Error: second");
  assertStringIncludes(errorStack ?? "", "\nCaused by: TypeError: first");
});

Deno.test("an error of several names them all, a circular chain ends", () => {
  const circular = new Error("circular");
  circular.cause = circular;
  const error = new AggregateError([new Error("left"), circular], "two failed");
  const letter = parseDeadLetter(renderDeadLetter(MESSAGE, { ...FACTS, error }));
  assertEquals(letter.failureReason, "AggregateError: two failed");
  assertStringIncludes(letter.errorStack ?? "", "Caused by: Error: left");
  assertStringIncludes(letter.errorStack ?? "", "Caused by: Error: circular");
});

for (const thrown of ["a text", undefined, null, 42, { code: 1 }, Symbol("s")]) {
  Deno.test(`whatever was thrown is described: ${String(thrown)}`, () => {
    const letter = parseDeadLetter(renderDeadLetter(MESSAGE, { ...FACTS, error: thrown }));
    assertEquals(letter.errorType, "Error");
    assertEquals(letter.errorMessage, String(thrown));
  });
}

Deno.test("reason-markup: a reason holds nothing that reads as markup, and the exact text stays", () => {
  for (
    const text of [
      "no such path [/orders/0]",
      "[/]",
      "[a][/b]",
      "[[/x]]",
      "\\[/x]",
      "[#fff]",
      "[@click=f]",
      "[Bold]",
    ]
  ) {
    const entry = renderDeadLetter(MESSAGE, { ...FACTS, error: new Error(text) });
    const { failure_reason, error_message } = JSON.parse(entry)._dlq_metadata;
    assertEquals(error_message, text);
    assert(!/\[[a-z#/@]/i.test(failure_reason), failure_reason);
    assertEquals(failure_reason.replaceAll("[ ", "["), `Error: ${text}`);
  }
  const plain = renderDeadLetter(MESSAGE, { ...FACTS, error: new Error("item[0] of [1, 2] at [") });
  assertEquals(JSON.parse(plain)._dlq_metadata.failure_reason, "Error: item[0] of [1, 2] at [");
});

Deno.test("raw-replay: an entry that Python's tools cannot replay says so, and no other does", () => {
  for (const original of ["not json", "[]", "", '{"base64":"/w=="}']) {
    const { advice } = JSON.parse(renderDeadLetter(original, FACTS))._dlq_metadata;
    assertStringIncludes(advice, "purge it");
  }
  for (const original of [MESSAGE, "{}", '{"data":1}']) {
    assertEquals("advice" in JSON.parse(renderDeadLetter(original, FACTS))._dlq_metadata, false);
  }
});
