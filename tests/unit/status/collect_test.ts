/** The status of a domain, asked of its brokers and databases alone (wire 8.7, 9.1). */
import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import type { BaseBroker, BaseProvider } from "../../../lib/adapters/ports.ts";
import { type DomainRuntime, runtimeOf } from "../../../lib/domain/runtime.ts";
import { BrokerUnavailableError } from "../../../lib/errors.ts";
import { Domain, Engine, on } from "../../../lib/mod.ts";
import { collectStatus, statusCount } from "../../../lib/status/collect.ts";
import type { StatusRow } from "../../../lib/status/row.ts";

const memory = { provider: "memory" };

/**
 * A shop with a handler of each kind, two databases of which one is not ours, and a broker of another team.
 */
async function shop(outbox: Record<string, unknown> = {}) {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Invoice = domain.aggregate("Invoice", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema, published: true });
  const InvoiceSent = domain.event("InvoiceSent", { partOf: Invoice, schema });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
  const Orders = domain.projection("Orders", { schema, provider: "second" });
  domain.commandHandler("Places", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  domain.eventHandler("Notes", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  domain.eventHandler("Bills", {
    partOf: Invoice,
    subscriptionConfig: { maxRetries: 1 },
    handles: [on(InvoiceSent, () => {
      throw new Error("never");
    })],
  });
  domain.projector("Shows", {
    projection: Orders,
    handles: [on(OrderPlaced, () => {})],
  });
  await domain.init({
    config: {
      databases: { default: memory, second: memory, theirs: { ...memory, managed: false } },
      brokers: { default: memory, partner: memory },
      caches: { default: memory },
      outbox: { external_brokers: ["partner"], ...outbox },
      server: { health: { enabled: false } },
    },
  });
  return { domain, OrderPlaced, InvoiceSent, runtime: runtimeOf(domain) };
}

const by = (rows: readonly StatusRow[], name: string) => rows.find((row) => row.name === name);

function broker(runtime: DomainRuntime): BaseBroker {
  const found = runtime.brokers.get("default");
  if (!found) throw new Error("There is no broker.");
  return found;
}

const gone = () => Promise.reject(new BrokerUnavailableError("Nobody answers."));

Deno.test("before any engine ran there is a row for everything, its lag unknown where no group exists", async () => {
  const { domain, runtime } = await shop();
  const rows = await collectStatus(runtime);
  assertEquals(rows.length, statusCount(runtime));
  assertEquals(
    rows.map(({ name, handler_name, subscription_type, stream_category, status }) =>
      [name, handler_name, subscription_type, stream_category, status].join(" | ")
    ),
    [
      "commands:shop::order:command | Places | stream | shop::order:command | unknown",
      "shop.Notes | Notes | stream | shop::order | unknown",
      "shop.Bills | Bills | stream | shop::invoice | unknown",
      "shop.Shows-shop::order | Shows | stream | shop::order | unknown",
      "outbox-processor-default-to-default | OutboxProcessor | outbox | default → default | ok",
      "outbox-processor-default-to-partner-external | OutboxProcessor | outbox | default → partner (external) | ok",
      "outbox-processor-second-to-default | OutboxProcessor | outbox | second → default | ok",
      "outbox-processor-second-to-partner-external | OutboxProcessor | outbox | second → partner (external) | ok",
    ],
  );
  await domain.close();
});

Deno.test("figures are those of the group: what was handled, what was dead-lettered, nobody's left pending", async () => {
  const { domain, runtime, OrderPlaced, InvoiceSent } = await shop();
  await domain.publish(OrderPlaced, { id: "a" });
  await domain.publish(InvoiceSent, { id: "b" });
  const quiet: StatusRow[][] = [];
  const stop = new AbortController();
  const engine = new Engine(domain);
  const running = engine.run({ signal: stop.signal });
  await engine.untilQuiet();
  quiet.push([...await collectStatus(runtime)]);
  stop.abort();
  await running;
  const [rows = []] = quiet;
  const notes = by(rows, "shop.Notes");
  assertEquals([
    notes?.lag,
    notes?.pending,
    notes?.head_position,
    notes?.dlq_depth,
    notes?.consumer_count,
    notes?.status,
  ], [
    0,
    0,
    1,
    0,
    1,
    "ok",
  ]);
  const bills = by(rows, "shop.Bills");
  assertEquals([bills?.lag, bills?.dlq_depth, bills?.returning], [0, 1, 0]);
});

Deno.test("an outbox row is named after its broker and counts that broker's rows alone", async () => {
  const { domain, runtime, OrderPlaced, InvoiceSent } = await shop({
    broker: "partner",
    external_brokers: ["default"],
  });
  // Both go to [outbox] broker, and only what is declared published to the other.
  await domain.publish(OrderPlaced, { id: "a" });
  await domain.publish(InvoiceSent, { id: "b" });
  const rows = await collectStatus(runtime);
  assertEquals(by(rows, "outbox-processor-default-to-partner")?.lag, 2);
  assertEquals(by(rows, "outbox-processor-default-to-default-external")?.lag, 1);
  assertEquals(by(rows, "outbox-processor-second-to-partner")?.lag, 0);
  await domain.close();
});

Deno.test("a key of a wrong type blanks its own figures and nothing else", async () => {
  const { domain, runtime } = await shop();
  const { deadLetters } = broker(runtime);
  const depth = deadLetters.depth.bind(deadLetters);
  deadLetters.depth = (stream) => stream === "shop::order:dlq" ? gone() : depth(stream);
  Object.defineProperty(broker(runtime), "deadLetters", { value: deadLetters });
  const groups = broker(runtime).groups.bind(broker(runtime));
  broker(runtime).groups = (stream) => stream === "shop::invoice" ? gone() : groups(stream);
  const rows = await collectStatus(runtime);
  assertEquals(rows.length, statusCount(runtime));
  assertEquals(by(rows, "shop.Notes")?.dlq_depth, null);
  assertEquals(by(rows, "shop.Bills")?.dlq_depth, 0);
  assertEquals(by(rows, "shop.Bills")?.lag, null);
  assertEquals(by(rows, "outbox-processor-default-to-default")?.lag, 0);
  await domain.close();
});

Deno.test("where nothing answers at all the reason is told", async () => {
  const { domain, runtime } = await shop();
  const down: Partial<BaseBroker> = { groups: gone, length: gone };
  Object.assign(broker(runtime), down);
  Object.defineProperty(broker(runtime), "deadLetters", { value: { depth: gone } });
  Object.defineProperty(broker(runtime), "partitions", { value: { count: gone } });
  for (const provider of runtime.providers.values()) {
    const outbox: Partial<BaseProvider["outbox"]> = { backlog: gone };
    Object.assign(provider.outbox, outbox);
  }
  await assertRejects(() => collectStatus(runtime), BrokerUnavailableError, "Nobody answers.");
  await domain.close();
});

Deno.test("rows are plain JSON", async () => {
  const { domain, runtime } = await shop();
  const rows = await collectStatus(runtime);
  assertEquals(JSON.parse(JSON.stringify(rows)), rows);
  await domain.close();
});

Deno.test("ages are asked for, and an id that is no time is unknown", async () => {
  const { domain, runtime } = await shop();
  const streams = broker(runtime);
  const ask = async () => by(await collectStatus(runtime, { ages: true }), "shop.Notes");
  await streams.group({ stream: "shop::order", group: "shop.Notes", consumer: "c" }).ensure();
  assertEquals([(await ask())?.lag_seconds, (await ask())?.oldest_pending_seconds], [0, 0]);
  const now = await streams.time();
  const ages = { undeliveredSince: now - 2500, pendingSince: now * 1e6 };
  streams.groupAges = () => Promise.resolve(ages);
  streams.time = () => Promise.resolve(now);
  assertEquals([(await ask())?.lag_seconds, (await ask())?.oldest_pending_seconds], [2.5, null]);
  assertEquals(by(await collectStatus(runtime), "shop.Notes")?.lag_seconds, null);
  streams.groupAges = gone;
  assertEquals([(await ask())?.lag_seconds, (await ask())?.lag], [null, 0]);
  await domain.close();
});

Deno.test("ages are those of what waits longest on either lane, unknown where one is", async () => {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  domain.eventHandler("Notes", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  const server = { health: { enabled: false }, priority_lanes: { enabled: true } };
  await domain.init({
    config: {
      databases: { default: memory },
      brokers: { default: memory },
      caches: { default: memory },
      event_store: memory,
      server,
    },
  });
  const runtime = runtimeOf(domain);
  const streams = broker(runtime);
  const now = await streams.time();
  streams.time = () => Promise.resolve(now);
  let backfill: Awaited<ReturnType<BaseBroker["groupAges"]>> = {
    undeliveredSince: now - 9000,
    pendingSince: now - 7000,
  };
  streams.groupAges = (stream) =>
    Promise.resolve(
      stream.endsWith(":backfill") ? backfill : { undeliveredSince: now - 2500, pendingSince: undefined },
    );
  const ask = async () => {
    const row = by(await collectStatus(runtime, { ages: true }), "shop.Notes");
    return [row?.lag_seconds, row?.oldest_pending_seconds];
  };
  assertEquals(await ask(), [9, 7]);
  backfill = undefined;
  assertEquals(await ask(), [null, null]);
  await domain.close();
});

Deno.test("what all subscriptions of a category have in common is asked once", async () => {
  const { domain, runtime } = await shop();
  const asked: string[] = [];
  const { deadLetters } = broker(runtime);
  const depth = deadLetters.depth.bind(deadLetters);
  deadLetters.depth = (stream) => {
    asked.push(stream);
    return depth(stream);
  };
  await collectStatus(runtime);
  assertEquals(asked.length, new Set(asked).size);
  assertEquals(asked.filter((stream) => stream === "shop::order:dlq").length, 1);
  await domain.close();
});
