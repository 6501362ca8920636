import { assertEquals } from "@std/assert";
import { createRedactor } from "../../../lib/telemetry/redaction.ts";

const redact = createRedactor(["password", "token", "api_key"]);

for (
  const [key, secret] of [
    ["password", true],
    ["PASSWORD", true],
    ["dbPassword", true],
    ["access_token", true],
    ["X-Access-Token", true],
    ["apiKey", true],
    ["tokens_used", false],
    ["token_count", false],
    ["stream", false],
    ["", false],
  ] as const
) {
  Deno.test(`the value of '${key}' is ${secret ? "masked" : "shown"}`, () => {
    assertEquals(redact(key, "s3cret"), secret ? "***" : "s3cret");
  });
}

Deno.test("secrets are masked at every depth", () => {
  assertEquals(redact("settings", { redis: [{ password: "a", host: "b" }] }), {
    redis: [{ password: "***", host: "b" }],
  });
});

Deno.test("whatever is logged becomes JSON-safe and bounded", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const values = [
    undefined,
    NaN,
    10n,
    Symbol("s"),
    () => 1,
    new Date(NaN),
    new Date(0),
    new Error("e"),
    cycle,
    Object.create(null),
    JSON.parse('{"__proto__":{"polluted":true}}'),
    "x".repeat(100_000),
  ];
  const text = JSON.stringify(values.map((value) => redact("value", value)));
  assertEquals(text.length < 20_000, true);
  assertEquals(redact("value", values[6]), "1970-01-01T00:00:00.000Z");
  assertEquals(redact("value", values[7]), "e");
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("a password in a URI is masked in any text, at any depth, before the text is cut", () => {
  const uri = "postgresql://shop:hunter2@db/shop";
  const values = [
    `${uri} does not answer`,
    { reasons: [`${uri} refuses`] },
    new Error(`cannot reach ${uri}`, { cause: new Error(uri) }),
    "x".repeat(8_170) + uri,
    [[[[[uri]]]]],
  ];
  for (const value of values) {
    const text = JSON.stringify(redact("reason", value));
    assertEquals([text.includes("hunter"), text.length > 2], [false, true], text.slice(-80));
  }
});

Deno.test("what names a secret anywhere is masked in the log too, whatever [logging] redact says", () => {
  const nothing = createRedactor([]);
  for (const key of ["passwd", "apikey", "credentials", "alert_webhook"]) {
    assertEquals(nothing(key, "s3cret"), "***");
  }
  assertEquals(createRedactor(["ssn"])("customerSsn", "s3cret"), "***");
});

Deno.test("an error that cannot be read is no end of the log", () => {
  const refuse = () => {
    throw new Error("refused");
  };
  assertEquals(
    typeof redact("error", Object.defineProperty(new Error(), "message", { get: refuse })),
    "string",
  );
});

Deno.test("a word of [logging] redact is masked inside texts and errors too", () => {
  const own = createRedactor(["ssn"]);
  const texts = [
    own("reason", "refused: ssn=123-45&city=Ulm"),
    own("reason", 'refused: {"customer_ssn": "123-45"}'),
    own("error", new Error("no row for ssn=123-45")),
    own("url", "https://shop/find?ssn=123-45&city=Ulm"),
  ];
  for (const text of texts) assertEquals(String(text).includes("123-45"), false, String(text));
  assertEquals(createRedactor([])("reason", "ssn=123-45"), "ssn=123-45");
});
