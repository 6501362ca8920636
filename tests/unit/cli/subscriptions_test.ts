import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SqliteBroker } from "../../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../../lib/async/clock.ts";
import { ShopFolder } from "./shop.ts";
import { auditOf, talkOf } from "./support.ts";

const EVENTS = "shop::order";

const data = (stdout: string) => JSON.parse(stdout).data;

/** Works on the streams of the shop as another program does. */
async function streams<T>(shop: ShopFolder, work: (broker: SqliteBroker) => Promise<T>): Promise<T> {
  const broker = new SqliteBroker({
    ...{ name: "default", domain: "shop", folder: shop.folder, clock: systemClock },
    settings: { URI: "sqlite:///shop-streams.db" },
  });
  await broker.open();
  try {
    return await work(broker);
  } finally {
    await broker.close();
  }
}

Deno.test("config prints each handler's settings and where each came from", async () => {
  await using shop = await ShopFolder.create(
    "[server]\ntick_interval = 2\n[server.subscriptions.OrderEventHandler]\nprofile = 'Fast'\nclaim_interval_ms = 7\n",
  );
  const { code, stdout, stderr } = await shop.run(["subscriptions", "config", "--json"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout).status, "pass");
  const [commands, events] = data(stdout).subscriptions;
  assertEquals([commands.name, commands.stream_category], ["OrderCommandHandler", "shop::order:command"]);
  assertEquals(commands.settings.max_retries, { value: 1, origin: "handler" });
  assertEquals(commands.settings.idempotent, { value: true, origin: "default" });
  assertEquals(commands.settings.tick_interval, { value: 2, origin: "[server]" });
  assertEquals([events.name, events.stream_category], ["OrderEventHandler", EVENTS]);
  assertEquals(events.settings.profile, {
    value: "Fast",
    origin: "[server.subscriptions.OrderEventHandler]",
  });
  assertEquals(events.settings.messages_per_tick, { value: 10, origin: "profile Fast" });
  assertEquals(events.settings.tick_interval, { value: 0, origin: "profile Fast" });
  assertEquals(events.settings.claim_interval_ms, {
    value: 7,
    origin: "[server.subscriptions.OrderEventHandler]",
  });
  assertEquals(events.settings.dlq_retention_hours, { value: 168, origin: "default" });
  assertEquals(events.settings.max_deliveries, { value: 4, origin: "default" });
  for (const { settings } of [commands, events]) {
    for (const [key, { value, origin }] of Object.entries<{ value: unknown; origin: unknown }>(settings)) {
      assert(value === null || typeof value !== "object", key);
      assert(typeof origin === "string" && origin !== "", key);
    }
  }
  const people = await shop.run(["subscriptions", "config"]);
  assertMatch(people.stdout, /^OrderCommandHandler on shop::order:command\nSetting +Value +Origin\n/);
  assertMatch(
    people.stdout,
    /\n\nOrderEventHandler on shop::order\n[^]*\nmessages_per_tick +10 +profile Fast\n/,
  );
});

Deno.test("config tells everything wrong with any handler at once", async () => {
  await using shop = await ShopFolder.create(
    "[server.subscriptions.OrderEventHandler]\nenable_dlq = true\n" +
      "subscription_type = 'event_store'\nretention_maxlen = 5\n",
  );
  const { code, stdout } = await shop.run(["subscriptions", "config", "--json"]);
  assertEquals(code, 2);
  assertEquals(JSON.parse(stdout).diagnostics.map(({ key }: { key: string }) => key), [
    "server.subscriptions.OrderEventHandler.enable_dlq",
    "server.subscriptions.OrderEventHandler.retention_maxlen",
  ]);
});

Deno.test("status without a server: everything is unknown before its first start", async () => {
  await using shop = await ShopFolder.create();
  const { code, stdout, stderr } = await shop.run(["subscriptions", "status", "--json"]);
  assertEquals([code, stderr], [0, ""]);
  const rows = data(stdout).subscriptions;
  assertEquals(rows.map(({ name, status }: Record<string, unknown>) => [name, status]).slice(0, 2), [
    ["commands:shop::order:command", "unknown"],
    ["shop.OrderEventHandler", "unknown"],
  ]);
  const [, events] = rows;
  for (
    const key of ["lag", "lag_seconds", "pending", "oldest_pending_seconds", "current_position", "breaker"]
  ) {
    assertEquals(events[key], null, key);
  }
  assertEquals(
    Object.keys(events).sort(),
    [
      ...[
        "breaker",
        "consumer_count",
        "current_position",
        "dlq_depth",
        "failed_positions_stream",
        "handler_name",
      ],
      ...["head_position", "lag", "lag_seconds", "last_updated", "name", "oldest_pending_seconds", "pending"],
      ...["position_stream", "recovery_checkpoint_stream", "returning", "status", "stream_category"],
      "subscription_type",
    ].sort(),
  );
});

Deno.test("status tells lag and pending with their ages, and dead letters, without a server", async () => {
  await using shop = await ShopFolder.create();
  await shop.run(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":1}']);
  await shop.run(["send", "PlaceOrder", "--data", '{"orderId":"o-2","amount":-1}']);
  await shop.run(["server", "--once"]);
  const quiet = await shop.run(["subscriptions", "status", "--json"]);
  const [commands, events] = data(quiet.stdout).subscriptions;
  assertEquals([commands.lag, commands.lag_seconds, commands.dlq_depth, commands.status], [0, 0, 1, "ok"]);
  assertEquals([events.lag, events.pending, events.oldest_pending_seconds], [0, 0, 0]);

  await streams(shop, async (broker) => {
    await broker.publish(["1", "2", "3"].map((data) => ({ stream: EVENTS, data })));
    await broker.group({ stream: EVENTS, group: "shop.OrderEventHandler", consumer: "c" }).read({ count: 1 });
  });
  const [, behind] = data((await shop.run(["subscriptions", "status", "--json"])).stdout).subscriptions;
  assertEquals([behind.lag, behind.pending, behind.consumer_count, behind.status], [2, 1, 1, "lagging"]);
  for (const age of [behind.lag_seconds, behind.oldest_pending_seconds]) {
    assert(age >= 0 && age < 60, `${age}`);
  }

  const { code, stdout } = await shop.run(["subscriptions", "status"]);
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^Subscriptions: shop\n\nHandler +Type +Stream +Lag +Lag \(s\) +Pending +Oldest \(s\) +DLQ /,
  );
  assertMatch(stdout, /\nOrderEventHandler +stream +shop::order +2 +\d+\.\d +1 +\d+\.\d +- +- +1 +lagging\n/);
  assertMatch(stdout, /\n\d+ subscription\(s\), \d+ ok, 1 lagging, 0 unknown, total lag: 2\n$/);
});

Deno.test("groups lists every group of the domain's streams, abandoned ones too", async () => {
  await using shop = await ShopFolder.create();
  assertEquals((await shop.run(["subscriptions", "groups"])).stdout, "No consumer groups found.\n");
  await shop.run(["server", "--once"]);
  await streams(shop, async (broker) => {
    await broker.publish([{ stream: EVENTS, data: "1" }]);
    await broker.group({ stream: EVENTS, group: "shop.Gone", consumer: "c" }).ensure();
  });
  const { groups, count } = data((await shop.run(["subscriptions", "groups", "--json"])).stdout);
  assertEquals(count, 3);
  assertEquals(
    groups.map((
      { stream, group, handler_name, lag }: Record<string, unknown>,
    ) => [stream, group, handler_name, lag]),
    [
      [EVENTS, "shop.Gone", null, 1],
      [EVENTS, "shop.OrderEventHandler", "OrderEventHandler", 1],
      ["shop::order:command", "shop.OrderCommandHandler", "OrderCommandHandler", 0],
    ],
  );
  assert(groups[0].lag_seconds >= 0);
  assertEquals([groups[2].lag_seconds, groups[2].oldest_pending_seconds], [0, 0]);
  const { stdout } = await shop.run(["subscriptions", "groups"]);
  assertMatch(stdout, /\nshop::order +shop\.Gone +- +1 +\d+\.\d +0 +0\.0 +0 +0-0\n/);
});

Deno.test("drop-group removes one group, asks first, and says what it does to a handler of ours", async () => {
  await using shop = await ShopFolder.create();
  await shop.run(["server", "--once"]);
  await streams(
    shop,
    (broker) => broker.group({ stream: EVENTS, group: "shop.Gone", consumer: "c" }).ensure(),
  );
  const drop = (...more: string[]) => shop.run(["subscriptions", "drop-group", EVENTS, ...more]);

  const unasked = await drop("shop.Gone");
  assertEquals(unasked.code, 2);
  assertStringIncludes(unasked.stderr, "repeat the command with --yes");
  const unwilling = await shop.run(["subscriptions", "drop-group", EVENTS, "shop.Gone"], {
    terminal: true,
    stdin: "n\n",
  });
  assertStringIncludes(unwilling.stderr, "Nothing was dropped.");
  const dropped = await drop("shop.Gone", "--yes");
  const [noted] = auditOf(dropped.stderr);
  assertEquals([noted?.["what"], noted?.["count"]], ["subscriptions.drop-group", 1]);
  assertEquals([dropped.code, dropped.stdout, talkOf(dropped.stderr)], [
    0,
    "Dropped the group 'shop.Gone' of stream 'shop::order'.\n",
    "",
  ]);
  const again = await drop("shop.Gone", "--yes", "--json");
  assertEquals([again.code, JSON.parse(again.stdout).diagnostics[0].code], [1, "GROUP_UNKNOWN"]);
  assertEquals((await shop.run(["subscriptions", "drop-group", "none", "g", "--yes"])).code, 1);

  const ours = await drop("shop.OrderEventHandler", "--yes", "--json");
  assertEquals([ours.code, data(ours.stdout)], [
    0,
    { stream: EVENTS, group: "shop.OrderEventHandler", lag: 0, pending: 0 },
  ]);
  assertStringIncludes(ours.stderr, "OrderEventHandler reads with this group");
});

Deno.test("drop-group of a backfill lane says that a handler of ours reads with it", async () => {
  await using shop = await ShopFolder.create("[server.priority_lanes]\nenabled = true\n");
  await shop.run(["server", "--once"]);
  const ours = await shop.run([
    ...["subscriptions", "drop-group", `${EVENTS}:backfill`, "shop.OrderEventHandler", "--yes"],
  ]);
  assertEquals(ours.code, 0);
  assertStringIncludes(ours.stderr, "OrderEventHandler reads with this group");
});
