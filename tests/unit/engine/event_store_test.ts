/** Subscriptions of an engine that read the event store: settings, status, the end of `--once`. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { withStatus } from "../../../lib/subscription/settings/status_runtime.ts";
import { DeadLetterQueues } from "../../../lib/dlq/queues.ts";
import { ConfigurationError, ProteanError } from "../../../lib/errors.ts";
import { renderDeadLetter } from "../../../lib/message/dead_letter.ts";
import { Domain, Engine, on, SubscriptionProfile } from "../../../lib/mod.ts";
import { collectStatus } from "../../../lib/status/collect.ts";
import { collectGroups } from "../../../lib/status/groups.ts";
import { logged } from "../../support/logged.ts";
import { until } from "../../support/until.ts";

const memory = { provider: "memory" };

/** A shop whose projector reads the event store, and fails on orders that are called so. */
function shop() {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema, identity: "id" });
  const Orders = domain.projection("Orders", { schema });
  const bad = { fails: true };
  domain.commandHandler("Places", {
    partOf: Order,
    subscriptionConfig: { subscriptionType: "event_store" },
    handles: [on(PlaceOrder, async ({ id }, ctx) => {
      const order = Order.create({ id });
      order.raise(OrderPlaced, { id });
      await ctx.repository(Order).add(order);
    })],
  });
  domain.projector("Shows", {
    projection: Orders,
    streamCategories: ["shop::order"],
    subscriptionProfile: SubscriptionProfile.PROJECTION,
    idempotent: true,
    handles: [on(OrderPlaced, ({ id }, ctx) => {
      if (id === "bad" && bad.fails) throw new Error("not yet");
      return ctx.view(Orders).put({ id });
    })],
  });
  const server = {
    health: { enabled: false },
    event_store_subscription: { recovery_interval_seconds: 0.05 },
  };
  const config = {
    databases: { default: memory },
    brokers: { default: memory },
    caches: { default: memory },
    event_store: memory,
    server,
  };
  const shown = () => domain.unitOfWork((ctx) => ctx.view(Orders).list({ limit: 100 }));
  return { domain, PlaceOrder, config, bad, shown };
}

function status(domain: Domain) {
  return collectStatus(withStatus(runtimeOf(domain)));
}

Deno.test("commands and events are handled from the event store, and the status says how far", async () => {
  const { domain, PlaceOrder, config, shown } = shop();
  await domain.init({ config });
  const before = (await status(domain)).filter(({ subscription_type }) =>
    subscription_type === "event_store"
  );
  assertEquals(before.map(({ name, lag, status }) => [name, lag, status]), [
    ["commands:shop::order:command", 0, "ok"],
    ["shop.Shows-shop::order", 0, "ok"],
  ]);
  for (const id of ["a", "b"]) await domain.process(PlaceOrder, { id }, { asynchronous: true });
  const waiting = (await status(domain)).find(({ handler_name }) => handler_name === "Places");
  assertEquals([waiting?.lag, waiting?.status, waiting?.current_position], [2, "lagging", "-1"]);

  const engine = new Engine(domain);
  const stop = new AbortController();
  const running = engine.run({ signal: stop.signal });
  await until(async () => (await shown()).length === 2, "both orders to be shown");
  await engine.untilQuiet();
  const after = (await status(domain)).find(({ handler_name }) => handler_name === "Shows");
  const { position_stream, failed_positions_stream, recovery_checkpoint_stream } = after ?? {};
  assertEquals([after?.lag, after?.pending, after?.returning, after?.status], [0, 0, 0, "ok"]);
  assertEquals(Number(after?.current_position), after?.head_position);
  assertEquals([position_stream, failed_positions_stream, recovery_checkpoint_stream], [
    "position-shop.Shows-shop::order",
    "failed-shop.Shows-shop::order",
    "recovery-checkpoint-shop.Shows-shop::order",
  ]);
  stop.abort();
  assertEquals(await running, 0);
});

Deno.test("a failed message is work that --once does not leave: it is tried again, and counted till then", async () => {
  const { domain, PlaceOrder, config, bad } = shop();
  await domain.init({ config });
  await domain.process(PlaceOrder, { id: "bad" }, { asynchronous: true });
  const engine = new Engine(domain, { once: true });
  const running = engine.run();
  await until(
    async () => (await status(domain)).some(({ returning }) => (returning ?? 0) > 0),
    "the failure to be recorded",
  );
  bad.fails = false;
  assertEquals(await running, 0);
  const [shows] = engine.subscriptions.filter(({ handler }) => handler === "Shows");
  assert((shows?.counters.setAside ?? 0) >= 1);
  assertEquals([shows?.counters.handled, shows?.counters.exhausted], [1, 0]);
  await domain.close();
});

Deno.test("without an event store a handler that asks for one is told so", async () => {
  const { domain, config } = shop();
  const { event_store: _, ...rest } = config;
  const servers = {
    ...rest,
    databases: { default: { provider: "postgresql", database_uri: "postgresql://nobody@127.0.0.1:1/none" } },
    brokers: { default: { provider: "redis", URI: "redis://127.0.0.1:1/0" } },
    caches: { default: memory },
  };
  await domain.init({ config: servers });
  const error = await assertRejects(() => new Engine(domain).run(), ConfigurationError);
  assertEquals(error.problems.map(({ code }) => code), ["CONFIG_NO_EVENT_STORE"]);
  await domain.close();
});

Deno.test("a group that a handler has left on its stream, for it reads the event store, is nobody's", async () => {
  const { domain, config } = shop();
  await domain.init({ config });
  const runtime = runtimeOf(domain);
  const [stream, group] = ["shop::order", "shop.Shows"];
  await runtime.brokers.get("default")?.group({ stream, group, consumer: "Shows-host-1-abcdef" }).ensure();
  const [row] = await collectGroups(withStatus(runtime));
  assertEquals([row?.group, row?.handler_name], [group, null]);
  assertEquals((await collectGroups(runtime))[0]?.handler_name, "Shows");
  await domain.close();
});

Deno.test("a group that a handler has left on its stream is told at the start, and takes no replay", async () => {
  const { domain, config } = shop();
  await domain.init({
    config: { ...config, server: { ...config.server, priority_lanes: { enabled: true } } },
  });
  const runtime = runtimeOf(domain);
  const broker = runtime.brokers.get("default");
  assert(broker);
  const [stream, group] = ["shop::order", "shop.Shows"];
  for (const lane of [stream, `${stream}:backfill`]) {
    await broker.group({ stream: lane, group, consumer: "Shows-host-1-abcdef" }).ensure();
  }
  const data = renderDeadLetter(`{"data":{},"metadata":{}}`, {
    ...{ originalStream: stream, originalId: "1-0", consumerGroup: group, consumer: "c", handler: "Shows" },
    ...{ retryCount: 3, failedAt: 0, error: new Error("bug") },
  });
  await broker.publish([{ stream: `${stream}:dlq`, data }]);
  const engine = new Engine(domain);
  const stop = new AbortController();
  const log = await logged(async () => {
    const running = engine.run({ signal: stop.signal });
    await engine.untilQuiet();
    const queues = DeadLetterQueues.of(runtime);
    const { entries: [letter] } = await queues.list();
    assert(letter);
    const error = await assertRejects(() => queues.replay(letter), ProteanError);
    assertEquals(error.code, "DLQ_FOREIGN_GROUP");
    assertStringIncludes(error.message, "Shows reads 'shop::order' from the event store");
    assertEquals(await queues.count({}), 1, "it stays where it is");
    stop.abort();
    await running;
  });
  const left = log.filter(({ rawMessage }) => rawMessage === "subscription.group_left");
  assertEquals(left.map(({ properties }) => properties["stream"]).sort(), [stream, `${stream}:backfill`]);
});
