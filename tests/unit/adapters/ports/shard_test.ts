import { shardOf } from "../../../../lib/adapters/ports.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "../../../support/property.ts";
import { OUTBOX_SHARDS } from "@protean/server/adapters";

// Computed by another implementation of the same sentence, in Python.
const PINNED: [string, number][] = [
  ["my_domain::order-1", 7],
  ["my_domain::order-2", 1],
  ["my_domain::order:command-1", 1],
  ["shop::cart-é", 2],
  ["shop::cart-😀", 10],
  ["", 5],
];

for (const [stream, shard] of PINNED) {
  Deno.test(`the shard of '${stream}' is ${shard}, for ever: it is stored with every outbox row`, () => {
    assertEquals(shardOf(stream), shard);
  });
}

Deno.test("every stream has a shard, always the same", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (stream) => {
    const shard = shardOf(stream);
    return Number.isInteger(shard) && shard >= 0 && shard < OUTBOX_SHARDS && shard === shardOf(stream);
  }));
});

const families: Record<string, (n: number) => string> = {
  "consecutive numbers": (n) => `my_domain::order-${n}`,
  "numbers with leading zeros": (n) => `my_domain::order-${String(n).padStart(8, "0")}`,
  "random ids": () => `my_domain::order-${crypto.randomUUID()}`,
};

for (const [name, stream] of Object.entries(families)) {
  Deno.test(`streams spread evenly over the shards when ids are ${name}`, () => {
    const counts = new Array<number>(OUTBOX_SHARDS).fill(0);
    for (let n = 0; n < 16_000; n++) counts[shardOf(stream(n))] = (counts[shardOf(stream(n))] ?? 0) + 1;
    // A thousand each on the average.
    assert(Math.min(...counts) > 700 && Math.max(...counts) < 1300, `${counts}`);
  });
}
