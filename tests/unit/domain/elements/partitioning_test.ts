/** By which field categories are parted, and the keys of messages (wire 2.11). */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, Domain, on, ValidationError } from "@protean/server";
import { z } from "zod";
import { partitionKey } from "../../../../lib/domain/elements/partitioning.ts";
import { runtimeOf } from "../../../../lib/domain/runtime.ts";
import { inMemory } from "../fixture.ts";

const keyOf = (data: string, field = "key", suffix = "backfill") =>
  partitionKey(field, "Shop.Paid.v1", data, suffix);

Deno.test("a key is the text of its field, as Python writes it", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['"o-1"', "o-1"],
    ['"ü 漢"', "ü 漢"],
    ["7", "7"],
    ["-7", "-7"],
    ["0.1", "0.1"],
    ["9007199254740993", "9007199254740993"],
    ["true", "True"],
    ["false", "False"],
    ['"__"', "__"],
    ['"___"', "___"],
    ['"__x"', "__x"],
    ['"DLQ"', "DLQ"],
  ];
  for (const [json, expected] of cases) assertEquals(keyOf(`{"key":${json}}`), expected, json);
  assertEquals(keyOf(`{"key":"${"x".repeat(255)}"}`).length, 255);
  assertEquals(keyOf('{"key":"backfill"}', "key", "later"), "backfill");
});

Deno.test("what cannot name a stream of its own is refused with its field", () => {
  const unfit = [
    ...[
      '""',
      "null",
      "{}",
      "[1]",
      '"a:b"',
      '"dlq"',
      '"backfill"',
      '"__x__"',
      '"____"',
      `"${"x".repeat(256)}"`,
    ],
  ];
  for (const json of unfit) {
    const error = assertThrows(() => keyOf(`{"key":${json}}`), ValidationError);
    assertEquals(error.issues.map(({ path }) => path), ["key"], json);
    assertStringIncludes(
      error.message,
      "The data of Shop.Paid.v1 cannot be put in order by 'key' (sequentialBy)",
    );
  }
  assertThrows(() => keyOf('{"other":1}'), ValidationError, "must be a text, a number or a boolean");
  assertThrows(() => keyOf('{"__proto__":{"key":"a"}}'), ValidationError);
});

function shop(...handlers: readonly (readonly [name: string, sequentialBy: string | undefined])[]) {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const Item = domain.aggregate("Item", { schema: z.object({ id: z.string() }) });
  const schema = z.object({ id: z.string(), customer: z.string().nullable() });
  const Placed = domain.event("Placed", { partOf: Order, schema, published: true });
  const Packed = domain.event("Packed", { partOf: Item, schema });
  for (const [name, sequentialBy] of handlers) {
    domain.eventHandler(name, {
      partOf: Order,
      ...(sequentialBy !== undefined && { sequentialBy }),
      handles: [on(Placed, () => {})],
    });
  }
  return { domain, Placed, Packed };
}

const CONFIG = inMemory({
  outbox: { external_brokers: ["theirs"] },
  brokers: { default: { provider: "memory" }, theirs: { provider: "memory" } },
});

Deno.test("rows of a parted category carry their key, to the own broker alone", async () => {
  const { domain, Placed, Packed } = shop(["Mails", "customer"], ["Audit", undefined]);
  await domain.init({ config: CONFIG });
  const runtime = runtimeOf(domain);
  assertEquals([...runtime.partitionFields], [["shop::order", "customer"]]);
  await domain.publish(Placed, { id: "o1", customer: "ann" });
  await domain.publish(Packed, { id: "i1", customer: null });
  const outbox = runtime.providers.get("default")?.outbox;
  assert(outbox);
  const keys = async (broker: string) => {
    const lease = await outbox.lease({ broker, owner: "test" });
    const rows = await lease.claim(10);
    await lease.release();
    return rows.map(({ type, partitionKey }) => [type, partitionKey]);
  };
  assertEquals(await keys("default"), [["Shop.Placed.v1", "ann"], ["Shop.Packed.v1", undefined]]);
  assertEquals(await keys("theirs"), [["Shop.Placed.v1", undefined]]);
  await domain.close();
});

Deno.test("a message without its key fails the transaction that writes it", async () => {
  const { domain, Placed } = shop(["Mails", "customer"]);
  await domain.init({ config: CONFIG });
  await assertRejects(
    () => domain.publish(Placed, { id: "o1", customer: null }),
    ValidationError,
    "'customer'",
  );
  const { counts } = await runtimeOf(domain).providers.get("default")?.outbox.stats() ?? {};
  assertEquals(counts?.pending, 0);
  await domain.close();
});

Deno.test("handlers of one category that name different fields are refused, those that name the same are not", async () => {
  const agreed = shop(["Mails", "customer"], ["Bills", "customer"]);
  await agreed.domain.init({ config: CONFIG });
  await agreed.domain.close();
  const { domain } = shop(["Mails", "customer"], ["Bills", "id"]);
  const error = await assertRejects(() => domain.init({ config: CONFIG }), ConfigurationError);
  assertEquals(error.problems.map(({ key }) => key), ["sequentialBy"]);
  assertStringIncludes(error.message, "Bills sets sequentialBy to 'id' and Mails to 'customer'");
});
