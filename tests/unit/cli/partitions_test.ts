/** `subscriptions partitions`: keys that stand still, and what sets one going (wire 2.11). */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { main } from "../../../lib/cli/mod.ts";
import { ShopFolder } from "./shop.ts";
import { recordingIo } from "./support.ts";

/** Orders of customers in order; those of nothing fail for good. */
function ordered(handled: string[]): Domain {
  const domain = new Domain("shop");
  const schema = z.object({ orderId: z.string(), customer: z.string(), amount: z.number() });
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  domain.eventHandler("OrderEventHandler", {
    partOf: Order,
    sequentialBy: "customer",
    subscriptionConfig: { maxRetries: 1 },
    handles: [on(OrderPlaced, ({ orderId, amount }) => {
      if (amount <= 0) throw new RangeError(`amount ${amount} [is/not] enough`);
      handled.push(orderId);
    })],
  });
  return domain;
}

const PARTITIONS = ["subscriptions", "partitions"] as const;

async function standing() {
  const shop = await ShopFolder.create(
    "[server.health]\nenabled = false\n[server.partitioning]\npoll_interval_seconds = 0.01\n",
  );
  const run = async (...args: string[]) => {
    const io = recordingIo({ cwd: shop.folder });
    const domains = { shop: ordered(shop.handled) };
    const code = await main({ domains, args: [...args, "--domain=shop"], io });
    return { code, stdout: io.stdout, stderr: io.stderr };
  };
  for (const [orderId, customer, amount] of [["o1", "ann", 0], ["o2", "ann", 5], ["o3", "bob", 5]] as const) {
    const sent = await run("send", "OrderPlaced", "--data", JSON.stringify({ orderId, customer, amount }));
    assertEquals(sent.code, 0, sent.stderr);
  }
  assertEquals((await run("server", "--once")).code, 0);
  assertEquals(shop.handled, ["o3"]);
  return { shop, run };
}

Deno.test("partitions lists what stands still, and a server with --once ends all the same", async () => {
  const { shop, run } = await standing();
  await using _ = shop;
  const { code, stdout } = await run(...PARTITIONS, "--json");
  assertEquals(code, 0);
  const { partitions: [halted], count } = JSON.parse(stdout).data;
  assertEquals(count, 1);
  const { entry_id, halted_at, owner, ...rest } = halted;
  assertMatch(entry_id, /^\d+-\d+$/);
  assertMatch(halted_at, /^20\d\d-/);
  assertMatch(owner, /^OrderEventHandler-.+:1$/);
  assertEquals(rest, {
    handler_name: "OrderEventHandler",
    consumer_group: "shop.OrderEventHandler",
    stream_category: "shop::order",
    key: "ann",
    attempts: 1,
    error_type: "RangeError",
    error_message: "amount 0 [is/not] enough",
  });
  const people = await run(...PARTITIONS, "--subscription", "shop::order");
  assertMatch(people.stdout, /OrderEventHandler +shop::order +ann +\d+-\d+ +1 +RangeError: amount 0/);
  assertStringIncludes(people.stdout, "1 key(s) stand still.");
  const { stdout: status } = await run("subscriptions", "status", "--json");
  const row = JSON.parse(status).data.subscriptions[0];
  assertEquals([row.current_position, row.partitions, row.halted_partitions, row.lag, row.pending], [
    ...["2 partition(s)", 2, 1, 1, 1],
  ]);
});

Deno.test("partitions --skip says what it has left out, asks first, and the key goes on", async () => {
  const { shop, run } = await standing();
  await using _ = shop;
  const which = [...PARTITIONS, "--subscription", "OrderEventHandler", "--skip", "ann"];
  const asked = await run(...which);
  assertEquals(asked.code, 2);
  assertStringIncludes(asked.stderr, "Nobody can be asked here: repeat the command with --yes.");
  const { code, stdout } = await run(...which, "--yes");
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^Skipped entry \d+-\d+ of 'shop::order:ann' for OrderEventHandler; key 'ann' goes on with the next one\.\n$/,
  );
  assertEquals((await run("server", "--once")).code, 0);
  assertEquals(shop.handled, ["o3", "o2"]);
  const again = await run(...which, "--yes");
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, "Key 'ann' of 'OrderEventHandler' does not stand still");
  assertEquals((await run(...PARTITIONS)).stdout, "No key stands still.\n");
});

Deno.test("partitions --dead-letter moves the message where it can be replayed from", async () => {
  const { shop, run } = await standing();
  await using _ = shop;
  const which = [...PARTITIONS, "--subscription", "shop.OrderEventHandler", "--dead-letter", "ann"];
  const { code, stdout } = await run(...which, "--json");
  assertEquals(code, 0);
  const moved = JSON.parse(stdout).data;
  assertEquals([moved.outcome, moved.key], ["dead_lettered", "ann"]);
  const { stdout: letters } = await run("dlq", "list", "--json");
  const [letter] = JSON.parse(letters).data.messages;
  assertEquals([letter.stream, letter.original_id], ["shop::order:ann", moved.entry_id]);
  assertStringIncludes(JSON.stringify(letter), "RangeError: amount 0");
  assertEquals((await run("server", "--once")).code, 0);
  assertEquals(shop.handled, ["o3", "o2"]);
});

Deno.test("partitions refuses what it cannot do with one sentence", async () => {
  const { shop, run } = await standing();
  await using _ = shop;
  for (
    const [args, code, sentence] of [
      [["--skip", "ann", "--yes"], 2, "Say whose key is meant with --subscription"],
      [["--subscription", "OrderEventHandler", "--skip", "ann", "--dead-letter", "ann"], 2, "not both"],
      [["--subscription", "Nobody", "--skip", "ann"], 1, "No subscription of this domain is called 'Nobody'"],
      [
        ["--subscription", "OrderEventHandler", "--skip", "bob"],
        1,
        "Key 'bob' of 'OrderEventHandler' does not",
      ],
    ] as const
  ) {
    const ran = await run(...PARTITIONS, ...args);
    assertEquals(ran.code, code, ran.stderr);
    assertStringIncludes(ran.stderr, sentence);
  }
});
