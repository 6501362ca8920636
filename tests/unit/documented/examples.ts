// deno-lint-ignore-file
// deno-fmt-ignore-file
// Made by `deno task docs` from the documentation comments of lib. Do not edit.
import { DeadLetter, Engine, on, onBatch, SubscriptionProfile } from "@protean/server";
import { sleep } from "@protean/server/adapters";
import { createHealthRouter } from "@protean/server/health";
import { FakeClock, testDomain } from "@protean/server/testing";
import { assertEquals } from "@std/assert";
import { z } from "zod";
import { main as lib_cli_mod_ts_0_main } from "@protean/server/cli";
import { Domain as lib_mod_ts_0_Domain, on as lib_mod_ts_0_on, SubscriptionProfile as lib_mod_ts_0_SubscriptionProfile } from "@protean/server";
import { FakeClock as lib_testing_conformance_mod_ts_0_FakeClock } from "@protean/server/testing";
import { cacheConformance as lib_testing_conformance_mod_ts_1_cacheConformance } from "@protean/server/testing/conformance";
import type { Stage } from "./stage.ts";

export interface Example {
  readonly where: string;
  readonly uses: readonly string[];
  readonly code: string;
  run(stage: Stage): Promise<unknown>;
}

export const EXAMPLES: readonly Example[] = [
  {
    where: "lib/cli/mod.ts",
    uses: ["Deno","domain","main","domain"],
    code: "Deno.exit(await main({ domains: { shop } }));",
    run: async (stage) => {
const { Deno, domain, main, domain: shop } = stage;
{
Deno.exit(await main({ domains: { shop } }));
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "const { entries } = await domain.deadLetters.list({ handler: \"OrderEventHandler\", limit: 20 });",
    run: async (stage) => {
const { domain } = stage;
{
const { entries } = await domain.deadLetters.list({ handler: "OrderEventHandler", limit: 20 });
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "const letter = await domain.deadLetters.get(\"1795356754518-0\");",
    run: async (stage) => {
const { domain } = stage;
{
const letter = await domain.deadLetters.get("1795356754518-0");
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "const [orders] = await domain.deadLetters.stats({ subscription: \"my_domain::order\" });",
    run: async (stage) => {
const { domain } = stage;
{
const [orders] = await domain.deadLetters.stats({ subscription: "my_domain::order" });
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain","fingerprint"],
    code: "await domain.deadLetters.note(fingerprint, \"the carrier's new address format, mended in 1.4\");",
    run: async (stage) => {
const { domain, fingerprint } = stage;
{
await domain.deadLetters.note(fingerprint, "the carrier's new address format, mended in 1.4");
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "const { done, failures } = await domain.deadLetters.replay({ error: \"TimeoutError\" }, { canary: 5 });",
    run: async (stage) => {
const { domain } = stage;
{
const { done, failures } = await domain.deadLetters.replay({ error: "TimeoutError" }, { canary: 5 });
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "await domain.deadLetters.discard({ type: \"OrderPlaced\" }, { reason: \"test orders\", by: \"ann\" });",
    run: async (stage) => {
const { domain } = stage;
{
await domain.deadLetters.discard({ type: "OrderPlaced" }, { reason: "test orders", by: "ann" });
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "await domain.deadLetters.restore({ type: \"OrderPlaced\" });",
    run: async (stage) => {
const { domain } = stage;
{
await domain.deadLetters.restore({ type: "OrderPlaced" });
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["domain"],
    code: "await domain.deadLetters.purge({ until: new Date(\"2026-01-01T00:00:00Z\") });",
    run: async (stage) => {
const { domain } = stage;
{
await domain.deadLetters.purge({ until: new Date("2026-01-01T00:00:00Z") });
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["console","domain"],
    code: "for await (const letters of domain.deadLetters.export({})) console.log(JSON.stringify(letters));",
    run: async (stage) => {
const { console, domain } = stage;
{
for await (const letters of domain.deadLetters.export({})) console.log(JSON.stringify(letters));
return undefined;
}
    },
  },
  {
    where: "lib/domain/dead_letters.ts",
    uses: ["data","dlqStream","domain","id"],
    code: "const [result] = await domain.deadLetters.import([{ dlqStream, id, broker: \"default\", data }]);",
    run: async (stage) => {
const { data, dlqStream, domain, id } = stage;
{
const [result] = await domain.deadLetters.import([{ dlqStream, id, broker: "default", data }]);
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["Domain","schema"],
    code: "const domain = new Domain(\"my_domain\");\nconst Order = domain.aggregate(\"Order\", { schema });\nawait domain.init();",
    run: async (stage) => {
const { Domain, schema } = stage;
{
const domain = new Domain("my_domain");
const Order = domain.aggregate("Order", { schema });
await domain.init();
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["domain"],
    code: "await domain.deadLetters.replay({ handler: \"OrderEventHandler\", error: \"TimeoutError\" }, { canary: 5 });",
    run: async (stage) => {
const { domain } = stage;
{
await domain.deadLetters.replay({ handler: "OrderEventHandler", error: "TimeoutError" }, { canary: 5 });
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["console","domain"],
    code: "for (const { id, state, done, total } of await domain.operations.list()) console.log(id, state, done, total);",
    run: async (stage) => {
const { console, domain } = stage;
{
for (const { id, state, done, total } of await domain.operations.list()) console.log(id, state, done, total);
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["ShelfCache","domain"],
    code: "domain.registerAdapter(\"cache\", \"shelf\", ShelfCache); // then: [caches.default] provider = \"shelf\"",
    run: async (stage) => {
const { ShelfCache, domain } = stage;
{
domain.registerAdapter("cache", "shelf", ShelfCache); // then: [caches.default] provider = "shelf"
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["domain"],
    code: "await domain.init({ config: \"shop.toml\", env: \"production\" }); // without them: the file that is found",
    run: async (stage) => {
const { domain } = stage;
{
await domain.init({ config: "shop.toml", env: "production" }); // without them: the file that is found
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["PlaceOrder","domain"],
    code: "await domain.process(PlaceOrder, { orderId: \"o-1\", amount: 10 }, { idempotencyKey: \"checkout-77\" });",
    run: async (stage) => {
const { PlaceOrder, domain } = stage;
{
await domain.process(PlaceOrder, { orderId: "o-1", amount: 10 }, { idempotencyKey: "checkout-77" });
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["OrderPlaced","domain"],
    code: "const id = await domain.publish(OrderPlaced, { orderId: \"o-1\", amount: 10 });",
    run: async (stage) => {
const { OrderPlaced, domain } = stage;
{
const id = await domain.publish(OrderPlaced, { orderId: "o-1", amount: 10 });
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["Order","domain"],
    code: "const order = await domain.unitOfWork((ctx) => ctx.repository(Order).get(\"o-1\"));",
    run: async (stage) => {
const { Order, domain } = stage;
{
const order = await domain.unitOfWork((ctx) => ctx.repository(Order).get("o-1"));
return undefined;
}
    },
  },
  {
    where: "lib/domain/domain.ts",
    uses: ["console","domain"],
    code: "for (const error of await domain.close()) console.error(error.message);",
    run: async (stage) => {
const { console, domain } = stage;
{
for (const error of await domain.close()) console.error(error.message);
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["domain"],
    code: "const Order = domain.aggregate(\"Order\", { schema: z.object({ id: z.string(), amount: z.number() }) });",
    run: async (stage) => {
const { domain } = stage;
{
const Order = domain.aggregate("Order", { schema: z.object({ id: z.string(), amount: z.number() }) });
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["Order","domain"],
    code: "const OrderPlaced = domain.event(\"OrderPlaced\", { partOf: Order, schema: z.object({ orderId: z.string() }) });",
    run: async (stage) => {
const { Order, domain } = stage;
{
const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema: z.object({ orderId: z.string() }) });
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["domain"],
    code: "const Paid = domain.externalEvent(\"Shop.Paid.v1\", { schema: z.object({ orderId: z.string() }) });",
    run: async (stage) => {
const { domain } = stage;
{
const Paid = domain.externalEvent("Shop.Paid.v1", { schema: z.object({ orderId: z.string() }) });
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["Order","domain"],
    code: "const PlaceOrder = domain.command(\"PlaceOrder\", { partOf: Order, schema: z.object({ orderId: z.string() }) });",
    run: async (stage) => {
const { Order, domain } = stage;
{
const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema: z.object({ orderId: z.string() }) });
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["domain"],
    code: "const OrderSummary = domain.projection(\"OrderSummary\", { schema: z.object({ id: z.string(), total: z.number() }) });",
    run: async (stage) => {
const { domain } = stage;
{
const OrderSummary = domain.projection("OrderSummary", { schema: z.object({ id: z.string(), total: z.number() }) });
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["Order","PlaceOrder","domain","orderId"],
    code: "domain.commandHandler(\"OrderCommandHandler\", {\n  partOf: Order,\n  handles: [on(PlaceOrder, ({ orderId }, ctx) => ctx.repository(Order).add(Order.create({ id: orderId, amount: 0 })))],\n});",
    run: async (stage) => {
const { Order, PlaceOrder, domain, orderId } = stage;
{
domain.commandHandler("OrderCommandHandler", {
  partOf: Order,
  handles: [on(PlaceOrder, ({ orderId }, ctx) => ctx.repository(Order).add(Order.create({ id: orderId, amount: 0 })))],
});
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["Order","OrderPlaced","domain","orderId"],
    code: "domain.eventHandler(\"Shipping\", {\n  partOf: Order,\n  subscriptionProfile: SubscriptionProfile.PRODUCTION,\n  idempotent: true,\n  handles: [on(OrderPlaced, ({ orderId }, ctx) => ctx.sql`insert into shipments (order_id) values (${orderId})`)],\n});",
    run: async (stage) => {
const { Order, OrderPlaced, domain, orderId } = stage;
{
domain.eventHandler("Shipping", {
  partOf: Order,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  idempotent: true,
  handles: [on(OrderPlaced, ({ orderId }, ctx) => ctx.sql`insert into shipments (order_id) values (${orderId})`)],
});
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["RecordPayment","domain","paymentSchema"],
    code: "domain.subscriber(\"PaymentSubscriber\", {\n  stream: \"payments\",\n  idempotent: true,\n  handle: (payload, ctx) => ctx.process(RecordPayment, paymentSchema.parse(payload)),\n});",
    run: async (stage) => {
const { RecordPayment, domain, paymentSchema } = stage;
{
domain.subscriber("PaymentSubscriber", {
  stream: "payments",
  idempotent: true,
  handle: (payload, ctx) => ctx.process(RecordPayment, paymentSchema.parse(payload)),
});
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["console","dlqStream","domain"],
    code: "domain.onDlqAlert(({ dlqStream, depth }) => console.warn(`${dlqStream} holds ${depth} dead letters`));",
    run: async (stage) => {
const { console, dlqStream, domain } = stage;
{
domain.onDlqAlert(({ dlqStream, depth }) => console.warn(`${dlqStream} holds ${depth} dead letters`));
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/declarations.ts",
    uses: ["domain","fetch"],
    code: "domain.check(\"payments\", async ({ signal }) => (await fetch(\"https://pay.example/up\", { signal })).ok, {\n  everySeconds: 30,\n});",
    run: async (stage) => {
const { domain, fetch } = stage;
{
domain.check("payments", async ({ signal }) => (await fetch("https://pay.example/up", { signal })).ok, {
  everySeconds: 30,
});
return undefined;
}
    },
  },
  {
    where: "lib/domain/elements/on.ts",
    uses: ["OrderPlaced","Totals","events"],
    code: "onBatch(OrderPlaced, { size: 100, maxWaitMs: 50 }, async (events, ctx) => {\n  const totals = await ctx.view(Totals).getMany(events.map(({ customer }) => customer));\n  const sums = new Map([...totals].map(([id, { total }]) => [id, total]));\n  for (const { customer, amount } of events) sums.set(customer, (sums.get(customer) ?? 0) + amount);\n  for (const [id, total] of sums) await ctx.view(Totals).put({ id, total });\n});",
    run: async (stage) => {
const { OrderPlaced, Totals, events } = stage;
{
return onBatch(OrderPlaced, { size: 100, maxWaitMs: 50 }, async (events, ctx) => {
  const totals = await ctx.view(Totals).getMany(events.map(({ customer }) => customer));
  const sums = new Map([...totals].map(([id, { total }]) => [id, total]));
  for (const { customer, amount } of events) sums.set(customer, (sums.get(customer) ?? 0) + amount);
  for (const [id, total] of sums) await ctx.view(Totals).put({ id, total });
});
}
    },
  },
  {
    where: "lib/domain/operations.ts",
    uses: ["domain"],
    code: "const [last] = await domain.operations.list({ limit: 1 });",
    run: async (stage) => {
const { domain } = stage;
{
const [last] = await domain.operations.list({ limit: 1 });
return undefined;
}
    },
  },
  {
    where: "lib/domain/operations.ts",
    uses: ["domain","operation"],
    code: "const operation = await domain.operations.get(id);",
    run: async (stage) => {
const { domain, operation: id } = stage;
{
const operation = await domain.operations.get(id);
return undefined;
}
    },
  },
  {
    where: "lib/domain/operations.ts",
    uses: ["domain","operation"],
    code: "await domain.operations.pause(id);",
    run: async (stage) => {
const { domain, operation: id } = stage;
{
await domain.operations.pause(id);
return undefined;
}
    },
  },
  {
    where: "lib/domain/operations.ts",
    uses: ["domain","operation"],
    code: "await domain.operations.resume(id);",
    run: async (stage) => {
const { domain, operation: id } = stage;
{
await domain.operations.resume(id);
return undefined;
}
    },
  },
  {
    where: "lib/domain/operations.ts",
    uses: ["domain","operation"],
    code: "await domain.operations.cancel(id);",
    run: async (stage) => {
const { domain, operation: id } = stage;
{
await domain.operations.cancel(id);
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["Order","ctx","events","orderId"],
    code: "const orders = await ctx.repository(Order).getMany(events.map(({ orderId }) => orderId));\nconst order = orders.get(orderId);",
    run: async (stage) => {
const { Order, ctx, events, orderId } = stage;
{
const orders = await ctx.repository(Order).getMany(events.map(({ orderId }) => orderId));
const order = orders.get(orderId);
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["Totals","ctx","customer","events"],
    code: "const totals = await ctx.view(Totals).getMany(events.map(({ customer }) => customer));\nconst total = totals.get(customer)?.total ?? 0;",
    run: async (stage) => {
const { Totals, ctx, customer, events } = stage;
{
const totals = await ctx.view(Totals).getMany(events.map(({ customer }) => customer));
const total = totals.get(customer)?.total ?? 0;
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["BookInvoice","OrderPlaced","OrderSummary","amount","orderId"],
    code: "on(OrderPlaced, async ({ orderId, amount }, ctx) => {\n  const summary = await ctx.view(OrderSummary).get(orderId);\n  await ctx.view(OrderSummary).put({ id: orderId, total: (summary?.total ?? 0) + amount });\n  await ctx.sql`update stock set reserved = reserved + 1 where order_id = ${orderId}`;\n  await ctx.process(BookInvoice, { orderId });\n});",
    run: async (stage) => {
const { BookInvoice, OrderPlaced, OrderSummary, amount, orderId } = stage;
{
return on(OrderPlaced, async ({ orderId, amount }, ctx) => {
  const summary = await ctx.view(OrderSummary).get(orderId);
  await ctx.view(OrderSummary).put({ id: orderId, total: (summary?.total ?? 0) + amount });
  await ctx.sql`update stock set reserved = reserved + 1 where order_id = ${orderId}`;
  await ctx.process(BookInvoice, { orderId });
});
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["amount","ctx","id","orderId"],
    code: "const [row] = await ctx.sql`select amount from orders where id = ${orderId}`;",
    run: async (stage) => {
const { amount, ctx, id, orderId } = stage;
{
const [row] = await ctx.sql`select amount from orders where id = ${orderId}`;
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["amount","ctx","orderId"],
    code: "await ctx.cache.set(`order:${orderId}`, { amount }, { ttlMs: 60_000 });",
    run: async (stage) => {
const { amount, ctx, orderId } = stage;
{
await ctx.cache.set(`order:${orderId}`, { amount }, { ttlMs: 60_000 });
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["Order","amount","ctx","orderId"],
    code: "const order = await ctx.repository(Order).get(orderId);\norder.update({ amount });\nawait ctx.repository(Order).add(order);",
    run: async (stage) => {
const { Order, amount, ctx, orderId } = stage;
{
const order = await ctx.repository(Order).get(orderId);
order.update({ amount });
await ctx.repository(Order).add(order);
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["OrderSummary","amount","ctx","orderId"],
    code: "await ctx.view(OrderSummary).put({ id: orderId, total: amount });",
    run: async (stage) => {
const { OrderSummary, amount, ctx, orderId } = stage;
{
await ctx.view(OrderSummary).put({ id: orderId, total: amount });
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["BookInvoice","ctx","orderId"],
    code: "await ctx.process(BookInvoice, { orderId });",
    run: async (stage) => {
const { BookInvoice, ctx, orderId } = stage;
{
await ctx.process(BookInvoice, { orderId });
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["OrderFlagged","ctx","orderId"],
    code: "await ctx.publish(OrderFlagged, { orderId, reason: \"credit\" });",
    run: async (stage) => {
const { OrderFlagged, ctx, orderId } = stage;
{
await ctx.publish(OrderFlagged, { orderId, reason: "credit" });
return undefined;
}
    },
  },
  {
    where: "lib/domain/types.ts",
    uses: ["ctx","events"],
    code: "for (const event of events) if (event.amount < 0) ctx.fail(event, new DeadLetter(\"a negative amount\"));",
    run: async (stage) => {
const { ctx, events } = stage;
{
for (const event of events) if (event.amount < 0) ctx.fail(event, new DeadLetter("a negative amount"));
return undefined;
}
    },
  },
  {
    where: "lib/engine/engine.ts",
    uses: ["engine"],
    code: "const { hostname, port } = await engine.listening;",
    run: async (stage) => {
const { engine } = stage;
{
const { hostname, port } = await engine.listening;
return undefined;
}
    },
  },
  {
    where: "lib/engine/engine.ts",
    uses: ["engine"],
    code: "const handled = engine.subscriptions.reduce((sum, { counters }) => sum + counters.handled, 0);",
    run: async (stage) => {
const { engine } = stage;
{
const handled = engine.subscriptions.reduce((sum, { counters }) => sum + counters.handled, 0);
return undefined;
}
    },
  },
  {
    where: "lib/engine/engine.ts",
    uses: ["AbortController","domain"],
    code: "const stop = new AbortController();\nconst code = await new Engine(domain).run({ signal: stop.signal });",
    run: async (stage) => {
const { AbortController, domain } = stage;
{
const stop = new AbortController();
const code = await new Engine(domain).run({ signal: stop.signal });
return undefined;
}
    },
  },
  {
    where: "lib/health/router.ts",
    uses: ["Deno","app","domain"],
    code: "const health = createHealthRouter(domain);\nDeno.serve(async (request) => await health(request) ?? app(request));",
    run: async (stage) => {
const { Deno, app, domain } = stage;
{
const health = createHealthRouter(domain);
Deno.serve(async (request) => await health(request) ?? app(request));
return undefined;
}
    },
  },
  {
    where: "lib/mod.ts",
    uses: [],
    code: "",
    run: async (stage) => {
{

return undefined;
}
    },
  },
  {
    where: "lib/testing/conformance/mod.ts",
    uses: ["Deno","ShelfCache","cacheConformance"],
    code: "// shelf_cache_test.ts, run with `deno test`\n\ncacheConformance(\"shelf\", async () => {\n  const clock = new FakeClock();\n  const cache = new ShelfCache({ name: \"default\", domain: \"shop\", settings: {}, folder: Deno.cwd(), clock });\n  await cache.open();\n  return { cache, elapse: (ms) => clock.advance(ms), close: () => cache.close() };\n});",
    run: async (stage) => {
const { Deno, ShelfCache, cacheConformance } = stage;
{
// shelf_cache_test.ts, run with `deno test`

cacheConformance("shelf", async () => {
  const clock = new FakeClock();
  const cache = new ShelfCache({ name: "default", domain: "shop", settings: {}, folder: Deno.cwd(), clock });
  await cache.open();
  return { cache, elapse: (ms) => clock.advance(ms), close: () => cache.close() };
});
return undefined;
}
    },
  },
  {
    where: "lib/testing/fake_clock.ts",
    uses: [],
    code: "const clock = new FakeClock();\nconst waiting = sleep(clock, 30_000);\nawait clock.advance(30_000);\nawait waiting;",
    run: async (stage) => {
{
const clock = new FakeClock();
const waiting = sleep(clock, 30_000);
await clock.advance(30_000);
await waiting;
return undefined;
}
    },
  },
  {
    where: "lib/testing/mod.ts",
    uses: ["OrderPlaced","OrderShipped","ShipOrder","domain"],
    code: "await using shop = await testDomain(domain);\nawait shop.given(OrderPlaced, { orderId: \"1\", amount: 5 });\nconst outcome = await shop.when(ShipOrder, { orderId: \"1\" });\nassertEquals(outcome.published(OrderShipped), [{ orderId: \"1\" }]);",
    run: async (stage) => {
const { OrderPlaced, OrderShipped, ShipOrder, domain } = stage;
{
await using shop = await testDomain(domain);
await shop.given(OrderPlaced, { orderId: "1", amount: 5 });
const outcome = await shop.when(ShipOrder, { orderId: "1" });
assertEquals(outcome.published(OrderShipped), [{ orderId: "1" }]);
return undefined;
}
    },
  },
  {
    where: "lib/testing/mod.ts",
    uses: ["OrderPlaced","shop"],
    code: "await using server = await shop.serve();\nawait server.send(OrderPlaced, { orderId: \"1\", amount: 5 });\nawait server.advance(3_600_000); // an hour of retries, in no time\nassertEquals(server.subscription(\"Shipping\").counters.deadLettered, 1);\nassertEquals((await server.deadLetters(\"Shipping\")).map(({ letter }) => letter.errorMessage), [\"no\"]);",
    run: async (stage) => {
const { OrderPlaced, shop } = stage;
{
await using server = await shop.serve();
await server.send(OrderPlaced, { orderId: "1", amount: 5 });
await server.advance(3_600_000); // an hour of retries, in no time
assertEquals(server.subscription("Shipping").counters.deadLettered, 1);
assertEquals((await server.deadLetters("Shipping")).map(({ letter }) => letter.errorMessage), ["no"]);
return undefined;
}
    },
  },
  {
    where: "lib/testing/test_domain.ts",
    uses: ["OrderPlaced","shop"],
    code: "await using server = await shop.serve();\nawait server.send(OrderPlaced, { orderId: \"1\", amount: 5 });\nawait server.advance(60_000);\nassertEquals(server.subscription(\"Shipping\").counters.deadLettered, 1);",
    run: async (stage) => {
const { OrderPlaced, shop } = stage;
{
await using server = await shop.serve();
await server.send(OrderPlaced, { orderId: "1", amount: 5 });
await server.advance(60_000);
assertEquals(server.subscription("Shipping").counters.deadLettered, 1);
return undefined;
}
    },
  },
];
