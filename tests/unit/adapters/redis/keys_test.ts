import { assertEquals } from "@std/assert";
import { Command } from "ioredis";
import { plainKey, taggedKey } from "../../../../lib/adapters/redis/keys.ts";

const names: readonly (readonly [name: string, key: string])[] = [
  ["shop::order", "{shop::order}"],
  ["shop::order:dlq", "{shop::order}:dlq"],
  ["shop::order:backfill:dlq", "{shop::order}:backfill:dlq"],
  ["shop::order:command", "{shop::order}:command"],
  ["shop::order:replay:shop.Orders", "{shop::order}:replay:shop.Orders"],
  ["shop::order-4f:2", "{shop::order-4f}:2"],
  ["payments", "{payments}"],
  ["payments:dlq:discarded", "{payments}:dlq:discarded"],
  ["protean:consumers", "{protean}:consumers"],
];
for (const [name, key] of names) {
  Deno.test(`on a Cluster '${name}' is '${key}', elsewhere it stays what Python calls it`, () => {
    assertEquals([taggedKey(name), plainKey(name)], [key, name] as never);
  });
}

Deno.test("all that belongs to one category has one slot on a Cluster", () => {
  const slot = (name: string) => new Command("get", [taggedKey(name)]).getSlot();
  for (const category of ["shop::order", "payments", "a{b", "größe::x", "a}b"]) {
    const slots = ["", ":dlq", ":dlq:discarded", ":backfill", ":replay:g", ":postponed:g"].map((end) =>
      slot(category + end)
    );
    assertEquals(new Set(slots).size, 1, category);
  }
});

Deno.test("two names never become one key", () => {
  const all = ["a", "a:b", "{a}", "{a}:b", "a}:b", "a::b:c", "a:b::c", ""].map(taggedKey);
  assertEquals(new Set(all).size, all.length);
});
