/**
 * What the wire format costs per message of about 500 bytes of payload, against `JSON.parse` of the same
 * text. Run it with `deno run -A bench/message_bench.ts`.
 *
 * @module
 */
import { canonicalJson, canonicalText } from "../lib/message/canonical.ts";
import { checksumOf } from "../lib/message/checksum.ts";
import { decodeMessage } from "../lib/message/envelope.ts";
import { encodeMessage } from "../tests/support/encode_message.ts";
import { eventId, eventMetadata, newCorrelationId, sequenceId } from "../lib/message/metadata.ts";

const ROUNDS = 7;
const CALLS = 50_000;

const order = {
  order_id: "3f0c8f0e-7f0a-4c0e-9d8e-5a4b3c2d1e0f",
  customer: "Ann Example",
  amount: 2499,
  currency: "EUR",
  placed_at: "2026-11-22T14:11:31.746953+00:00",
  express: false,
  lines: [{ sku: "A-1", quantity: 2, price: 999 }, { sku: "B-22", quantity: 1, price: 501 }],
  address: { street: "Some street 12", city: "Town", zip: "12345" },
  note: "x".repeat(160),
};

function message(
  data: unknown,
  render: (data: unknown) => string = canonicalJson,
): { ours: string; python: string } {
  const canonical = render(data);
  const stream = "my_domain::order-3f0c8f0e-7f0a-4c0e-9d8e-5a4b3c2d1e0f";
  const metadata = eventMetadata({
    id: eventId(stream, 0, 1),
    time: Date.now(),
    type: "MyDomain.OrderPlaced.v1",
    stream,
    category: "my_domain::order",
    sequenceId: sequenceId(0, 1),
    correlationId: newCorrelationId(),
    causationId: "3f0c8f0e-7f0a-4c0e-9d8e-5a4b3c2d1e0f",
    checksum: checksumOf(canonical),
  });
  return { ours: encodeMessage({ data: canonical, metadata }), python: spaced({ data, metadata }) };
}

/** Python's default separators, keys in order of insertion. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${
    Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`).join(", ")
  }}`;
}

/** Fastest of several rounds, in microseconds per call: the others met a neighbour on the same cores. */
function measure(cases: Record<string, () => unknown>): Map<string, number> {
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(cases)) {
      for (let i = 0; i < CALLS / 10; i++) run();
      const start = performance.now();
      for (let i = 0; i < CALLS; i++) run();
      best.set(name, Math.min(best.get(name) ?? Infinity, (performance.now() - start) * 1000 / CALLS));
    }
  }
  return best;
}

const { ours, python } = message(order);
// A float that prints as an integer: only its lexeme tells.
const telling = python.replace('"amount": 2499', '"amount": 2499.0').replace(
  checksumOf(canonicalJson(order)),
  checksumOf(canonicalText(JSON.stringify(order).replace('"amount":2499', '"amount":2499.0'))),
);
const unverified = ours.replace(/"checksum":"[^"]*"/, '"checksum":null');
const outgoing = decodeMessage(ours);
const canonical = canonicalJson(order);

const results = measure({
  "JSON.parse, text of ours": () => JSON.parse(ours),
  "decode, unverified": () => decodeMessage(unverified),
  "decode, text of ours": () => decodeMessage(ours),
  "decode, text of Python": () => decodeMessage(python),
  "decode, text of Python with 2499.0": () => decodeMessage(telling),
  "canonicalJson": () => checksumless(canonicalJson(order)),
  "checksumOf": () => checksumOf(canonical),
  "encode": () => checksumless(encodeMessage({ data: canonical, metadata: outgoing.metadata })),
});

/** Makes V8 lay a concatenated string out, as writing it to a socket would. */
function checksumless(text: string): boolean {
  return /\0/.test(text);
}

const base = results.get("JSON.parse, text of ours") ?? NaN;
const lines = [...results].map(([name, micros]) =>
  `${name.padEnd(36)} ${micros.toFixed(2).padStart(6)} µs  ${(micros / base).toFixed(2).padStart(5)}`
);
await Deno.stdout.write(
  new TextEncoder().encode(
    `${canonical.length} bytes of payload, ${ours.length} of message; against JSON.parse:\n${
      lines.join("\n")
    }\n`,
  ),
);
