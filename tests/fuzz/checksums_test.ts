import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { DeserializationError } from "../../lib/errors.ts";
import { canonicalJson, canonicalText } from "../../lib/message/canonical.ts";
import { checksumOf } from "../../lib/message/checksum.ts";
import { originalText, renderDeadLetter } from "../../lib/message/dead_letter.ts";
import { decodeMessage } from "../../lib/message/envelope.ts";
import { parseExactJson } from "../../lib/message/parse.ts";
import fc from "../support/property.ts";
import { key, model, value } from "../unit/message/arbitraries.ts";
import { METADATA } from "../unit/message/samples.ts";
import { write } from "../unit/message/slow_canonical.ts";
import { fuzz } from "./fuzz.ts";
import { mutated } from "./mutations.ts";
import { Python, pythonAvailable, type Upstream } from "./python.ts";

const BATCH = { minLength: 1, maxLength: 100, size: "max" } as const;

let python: Python | undefined;
Deno.test.afterAll(async () => await python?.end());

/** What Python makes of these texts. */
async function upstream(texts: readonly string[]): Promise<readonly Upstream[]> {
  python ??= new Python();
  const answers = await python.upstream(texts);
  assertEquals(answers.length, texts.length);
  return answers;
}

/** Undefined: refused. */
function ours(text: string): Upstream {
  try {
    parseExactJson(text);
    const canonical = canonicalText(text);
    return [canonical, checksumOf(canonical)];
  } catch (error) {
    assertInstanceOf(error, DeserializationError);
    return null;
  }
}

const payloads = fc.tuple(
  fc.array(fc.tuple(key, model), { maxLength: 6 }),
  fc.constantFrom("", " ", "\n"),
  fc.boolean(),
)
  .map(([members, space, ascii]) => write({ kind: "object", members }, space, ascii));

/** The places where a payload may stand in its message. */
function envelopes(data: string, checksum: string): readonly string[] {
  const metadata = JSON.stringify({ ...METADATA, envelope: { ...METADATA.envelope, checksum } });
  return [
    `{"data":${data},"metadata":${metadata}}`,
    `{"metadata":${metadata},"data":${data}}`,
    ` { "data" : ${data} , "metadata" : ${metadata} } `,
    `{"other":{"data":{},"metadata":1},"data":${data},"metadata":${metadata},"more":"}"}`,
  ];
}

function isAccepted(message: string): boolean {
  try {
    decodeMessage(message);
    return true;
  } catch (error) {
    assertInstanceOf(error, DeserializationError);
    return false;
  }
}

const FACTS = {
  originalStream: "shop::order",
  originalId: "1-0",
  consumerGroup: "shop.Handler",
  consumer: "Handler-1",
  handler: "Handler",
  retryCount: 1,
  failedAt: 0,
  error: null,
};

fuzz(
  "a checksum of Python's is right for its payload, wherever it stands, and for no other",
  {
    runs: 47,
    share: 3 / 36,
    ignore: !pythonAvailable,
    count: (batch) => batch.length,
  },
  fc.array(payloads, BATCH),
  async (texts) => {
    for (const [at, answer] of (await upstream(texts)).entries()) {
      const text = texts[at] ?? "";
      assertEquals(ours(text), answer, text);
      if (answer === null) continue;
      const [canonical, checksum] = answer;
      const wrong = checksumOf(`${canonical} `);
      for (const [place, message] of envelopes(text, checksum).entries()) {
        assert(isAccepted(message), `refused: ${message}`);
        const entry = renderDeadLetter(message, FACTS);
        assert(isAccepted(entry), `refused as a dead letter: ${entry}`);
        assert(isAccepted(originalText(entry)), `refused after its replay: ${message}`);
        assert(
          !isAccepted(envelopes(text, wrong)[place] ?? ""),
          `accepted with a wrong checksum: ${message}`,
        );
      }
    }
  },
);

fuzz(
  "a checksum of ours is what Python makes of the same payload",
  {
    runs: 1_000,
    share: 2 / 36,
    ignore: !pythonAvailable,
    count: (batch) => batch.length,
  },
  fc.array(value.filter((given) => given !== undefined), BATCH),
  async (values) => {
    const canonical = values.map(canonicalJson);
    // Both of what JSON.stringify writes and of what goes over the wire.
    for (const texts of [values.map((given) => JSON.stringify(given)), canonical]) {
      const expected = canonical.map((text): Upstream => [text, checksumOf(text)]);
      assertEquals(await upstream(texts), expected);
    }
  },
);

const TOKENS = [
  ...[
    "NaN",
    "-Infinity",
    "-NaN",
    "1e400",
    "-",
    "+1",
    "01",
    "1.",
    ".5",
    "1e",
    "0x1",
    "1_0",
    "'",
    "//",
    "/**/",
  ],
  ...[",", ":", "{", "}", "[", "]", '"', "\\", "\\u00", "\\x", "\n", "\t", "\0", "\x7f", "\u00a0", "\ufeff"],
  ...["\u2028", "\ud800", "\\ud83d\\ude00", "1".repeat(4300), "1".repeat(4301), '"a":1,', "null", "nul"],
];

fuzz(
  "a text that Python reads is read, and one that it refuses is refused",
  {
    runs: 190,
    share: 1 / 36,
    ignore: !pythonAvailable,
    count: (batch) => batch.length,
  },
  fc.array(mutated(payloads, TOKENS, 3), BATCH),
  async (texts) => {
    for (const [at, answer] of (await upstream(texts)).entries()) {
      assertEquals(
        ours(texts[at] ?? ""),
        answer,
        texts[at],
      );
    }
  },
);
