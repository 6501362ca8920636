import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { IncorrectUsageError, on, onAny, ProteanError } from "@protean/server";
import { testDomain } from "@protean/server/testing";
import { z } from "zod";
import { inMemory, inSqlite, shop } from "../domain/fixture.ts";

const data = { orderId: "1", amount: 5 };

Deno.test("drain delivers what is committed, and what is committed meanwhile, to every handler once", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder } = shop();
  const seen: string[] = [];
  domain.commandHandler("Commands", {
    partOf: Order,
    handles: [on(PlaceOrder, (command, ctx) => ctx.publish(OrderPlaced, command))],
  });
  for (const name of ["One", "Two"]) {
    domain.eventHandler(name, {
      partOf: Order,
      handles: [onAny((_event, ctx) => seen.push(`${name} ${ctx.message.type}`))],
    });
  }
  await using test = await testDomain(domain);
  await domain.process(PlaceOrder, data);
  assertEquals(seen, []);
  const outcome = await test.drain();
  assertEquals(seen, ["One MyDomain.OrderPlaced.v1", "Two MyDomain.OrderPlaced.v1"]);
  assertEquals(outcome.messages.map(({ type, stream }) => [type, stream]), [
    ["MyDomain.PlaceOrder.v1", "my_domain::order:command-1"],
    ["MyDomain.OrderPlaced.v1", "my_domain::order-1"],
  ]);
  assertEquals((await test.drain()).messages, []);
  assertEquals(test.outcome.messages.length, 2);
});

Deno.test("a delivery that fails is listed with its handler and error, and is not repeated", async () => {
  const { domain, Order, OrderPlaced } = shop();
  let runs = 0;
  domain.eventHandler("Broken", {
    partOf: Order,
    handles: [on(OrderPlaced, () => {
      runs++;
      throw new Error("no");
    })],
  });
  await using test = await testDomain(domain);
  const { failures } = await test.when(OrderPlaced, data);
  assertEquals(failures.map(({ handler, error, message }) => [handler, error.message, message.data]), [[
    "Broken",
    "no",
    data,
  ]]);
  assertEquals([runs, (await test.drain()).failures.length], [1, 0]);
  const error = await assertRejects(() => test.given(OrderPlaced, data), ProteanError);
  assertStringIncludes(error.message, "Broken failed on it");
  assertEquals((error.cause as Error).message, "no");
});

Deno.test("time stands still until the test moves it", async () => {
  const { domain, Order, PlaceOrder } = shop();
  let runs = 0;
  domain.commandHandler("Commands", { partOf: Order, handles: [on(PlaceOrder, () => void runs++)] });
  await using test = await testDomain(domain, { now: new Date("2026-05-01T00:00:00Z") });
  await domain.process(PlaceOrder, data, { timeoutMs: 1000 });
  await domain.process(PlaceOrder, data, { timeoutMs: 60_000 });
  await test.clock.advance(2000);
  const { messages } = await test.drain();
  assertEquals(messages[0]?.metadata.headers.time, "2026-05-01T00:00:00.000000+00:00");
  assertEquals(runs, 1);
});

Deno.test("version conflicts are repeated at once, and an endless one is a failure", async () => {
  const { domain, Order, PlaceOrder } = shop();
  domain.commandHandler("Commands", {
    partOf: Order,
    handles: [
      on(
        PlaceOrder,
        ({ orderId, amount }, ctx) =>
          ctx.repository(Order).add(Order.create({ id: orderId, status: "placed", amount })),
      ),
    ],
  });
  await using test = await testDomain(domain);
  await test.given(PlaceOrder, data);
  const { failures } = await test.when(PlaceOrder, data);
  assertEquals(failures.map(({ error }) => error.name), ["ExpectedVersionError"]);
});

Deno.test("published events are told once, however many brokers they go to", async () => {
  const { domain, Order } = shop();
  const Shipped = domain.event("Shipped", {
    partOf: Order,
    published: true,
    schema: z.object({ id: z.string(), at: z.coerce.date() }),
  });
  const brokers = { default: { provider: "memory" }, external: { provider: "memory" } };
  const config = inMemory({ brokers, outbox: { external_brokers: ["external"] } });
  await using test = await testDomain(domain, { config });
  const outcome = await test.when(Shipped, { id: "1", at: "2026-01-02" });
  assertEquals(outcome.messages.map(({ broker }) => broker), ["default", "external"]);
  assertEquals(outcome.published(Shipped), [{ id: "1", at: new Date("2026-01-02") }]);
});

Deno.test("handlers that answer each other for ever end the test", async () => {
  const { domain, Order, OrderPlaced } = shop();
  domain.eventHandler("Echo", {
    partOf: Order,
    handles: [on(OrderPlaced, (event, ctx) => ctx.publish(OrderPlaced, event))],
  });
  await using test = await testDomain(domain);
  await assertRejects(() => test.when(OrderPlaced, data), ProteanError, "not quiet after 10000 messages");
});

Deno.test("a domain can be tested again and again, from nothing, but not twice at once", async () => {
  const { domain, Order, PlaceOrder } = shop();
  domain.commandHandler("Commands", {
    partOf: Order,
    handles: [
      on(
        PlaceOrder,
        ({ orderId, amount }, ctx) =>
          ctx.repository(Order).add(Order.create({ id: orderId, status: "placed", amount })),
      ),
    ],
  });
  for (let round = 0; round < 2; round++) {
    await using test = await testDomain(domain);
    await test.given(PlaceOrder, data);
    assertEquals(await test.state(Order, "1"), { id: "1", status: "placed", amount: 5 });
    assertEquals(await test.state(Order, "2"), undefined);
    await assertRejects(() => testDomain(domain), IncorrectUsageError);
  }
});

Deno.test("handlers that use ctx.sql are tested on SQLite", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { domain, Order, OrderPlaced, Counter } = shop();
    domain.eventHandler("Sql", {
      partOf: Order,
      handles: [on(OrderPlaced, async (_event, ctx) => {
        await ctx.view(Counter).put({ id: "a", count: 1 });
        const [row] = await ctx.sql<{ n: number }>`select count(*) as n from ${
          ctx.sql("protean_my_domain_view_counter")
        }`;
        await ctx.view(Counter).put({ id: "b", count: row?.n ?? 0 });
      })],
    });
    await using test = await testDomain(domain, { config: inSqlite(folder) });
    assertEquals((await test.when(OrderPlaced, data)).failures, []);
    assertEquals(await test.rows(Counter), [{ id: "a", count: 1 }, { id: "b", count: 1 }]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
