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

Deno.test("what cannot be read is said in its place, and the rest is logged", () => {
  const refuse = () => {
    throw new Error("refused");
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const values = {
    getter: Object.defineProperty({ a: 1 }, "b", { get: refuse, enumerable: true }),
    proxy,
    code: Object.assign(() => 1, { toString: refuse }),
    after: "told",
  };
  const unreadable = "(unreadable)";
  assertEquals(redact("value", values), {
    ...{ getter: { a: 1, b: unreadable }, proxy: unreadable, code: unreadable, after: "told" },
  });
});

Deno.test("what leads back to itself a hundred times, or is large, is copied no further than a bound", () => {
  const graph: Record<string, unknown> = {};
  for (let n = 0; n < 100; n++) graph[`edge_${n}`] = graph;
  assertEquals(JSON.stringify(redact("value", graph)).length < 100_000, true);
  const large = { ...{ bytes: new Uint8Array(5_000_000), buffer: new ArrayBuffer(3) } };
  assertEquals(redact("value", large), { bytes: "5000000 byte(s)", buffer: "3 byte(s)" });
});

Deno.test("maps, sets and addresses are shown, without secrets", () => {
  const headers = new Map([["x-token", "s3cret"], ["accept", "text/plain"]]);
  const address = new URL("https://shop:s3cret@host/a?api_key=s3cret&b=1");
  assertEquals(redact("value", { headers, tags: new Set(["a", 1]), address }), {
    headers: { "x-token": "***", accept: "text/plain" },
    tags: ["a", 1],
    address: "https://shop:***@host/a?api_key=***&b=1",
  });
});
