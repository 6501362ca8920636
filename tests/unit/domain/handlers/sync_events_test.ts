/** `event_processing = "sync"` (wire 10.14, scenarios "Commit order" 7). */
import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import {
  Discard,
  Engine,
  ExpectedVersionError,
  on,
  ProteanError,
  RetryAfter,
  type Row,
} from "@protean/server";
import { z } from "zod";
import { FREE, handle, inMemory, inSqlite, outbox, runnerOf, shop, started } from "../fixture.ts";

const data = { orderId: "1", amount: 5 };
const SYNC: Row = { event_processing: "sync", command_processing: "sync" };

/** The shop with a command handler that raises an event, and what its handlers have done in order. */
function chain() {
  const my = shop();
  const Shipped = my.domain.event("Shipped", { partOf: my.Order, schema: z.object({ orderId: z.string() }) });
  const log: string[] = [];
  const commands = { tries: 0 };
  my.domain.commandHandler("Commands", {
    partOf: my.Order,
    handles: [on(my.PlaceOrder, async ({ orderId, amount }, ctx) => {
      commands.tries++;
      const order = my.Order.create({ id: orderId, status: "placed", amount });
      order.raise(my.OrderPlaced, { orderId, amount });
      await ctx.repository(my.Order).add(order);
      return "placed";
    })],
  });
  return { ...my, Shipped, log, commands };
}

Deno.test("handlers of events have run when the command that raised them resolves, all of one event before the next", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder, Shipped, Counter, log } = chain();
  domain.eventHandler("First", {
    partOf: Order,
    handles: [
      on(OrderPlaced, async ({ orderId }, ctx) => {
        log.push("First placed");
        await ctx.publish(Shipped, { orderId });
      }),
      on(Shipped, () => void log.push("First shipped")),
    ],
  });
  domain.eventHandler("Second", {
    partOf: Order,
    handles: [
      on(OrderPlaced, () => void log.push("Second placed")),
      on(Shipped, () => void log.push("Second shipped")),
    ],
  });
  domain.projector("Views", {
    projection: Counter,
    handles: [on(OrderPlaced, async ({ orderId }, ctx) => {
      const row = await ctx.view(Counter).get(orderId);
      await ctx.view(Counter).put({ id: orderId, count: (row?.count ?? 0) + 1 });
    })],
  });
  await using running = await started(domain, { config: inMemory(SYNC) });
  assertEquals(await domain.process(PlaceOrder, data), "placed");
  assertEquals(log, ["First placed", "Second placed", "First shipped", "Second shipped"]);
  const rows = () => domain.unitOfWork((ctx) => ctx.view(Counter).list());
  assertEquals(await rows(), [{ id: "1", count: 1 }]);
  // They travel all the same, and their subscriptions find that all is done.
  const messages = await outbox(running.runtime);
  assertEquals(messages.map(({ type }) => type), ["MyDomain.OrderPlaced.v1", "MyDomain.Shipped.v1"]);
  assertEquals(messages.map(({ metadata }) => metadata.domain.asynchronous), [false, false]);
  for (const message of messages) {
    for (const name of ["First", "Second"]) {
      assertEquals(await handle(runnerOf(running.runtime, name), message), "duplicate");
    }
  }
  assertEquals([log.length, await rows()], [4, [{ id: "1", count: 1 }]]);
});

Deno.test("what handlers of events throw is told after the commit, repeats nothing, and is left to their subscriptions", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder, log, commands } = chain();
  let broken = true;
  for (const name of ["First", "Second"]) {
    domain.eventHandler(name, {
      partOf: Order,
      handles: [on(OrderPlaced, () => {
        log.push(name);
        if (broken) throw name === "First" ? new ExpectedVersionError("first") : new Error("fails");
      })],
    });
  }
  domain.eventHandler("Third", { partOf: Order, handles: [on(OrderPlaced, () => void log.push("Third"))] });
  const server = { version_retry: { base_delay_seconds: 0 } };
  await using running = await started(domain, { config: inMemory({ ...SYNC, server }) });
  const error = await assertRejects(() => domain.process(PlaceOrder, data), ProteanError);
  assertEquals([error.code, commands.tries], ["EVENT_PROCESSING", 1]);
  assertStringIncludes(error.message, "First, Second failed");
  assertInstanceOf(error.cause, AggregateError);
  assertEquals(log, ["First", "First", "First", "First", "Second", "Third"]);
  assertEquals((await domain.unitOfWork((ctx) => ctx.repository(Order).get("1"))).version, 0);
  broken = false;
  const [message] = await outbox(running.runtime);
  if (!message) throw new Error("Nothing was sent.");
  const outcomes = ["First", "Second", "Third"].map((name) =>
    handle(runnerOf(running.runtime, name), message)
  );
  assertEquals(await Promise.all(outcomes), ["handled", "handled", "duplicate"]);
});

Deno.test("a decision of a handler is no failure, and is left to its subscription", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder } = chain();
  domain.eventHandler("Discards", {
    partOf: Order,
    handles: [on(OrderPlaced, () => {
      throw new Discard("old");
    })],
  });
  domain.eventHandler("Waits", {
    partOf: Order,
    handles: [on(OrderPlaced, () => {
      throw new RetryAfter(5);
    })],
  });
  await using _running = await started(domain, { config: inMemory(SYNC) });
  assertEquals(await domain.process(PlaceOrder, data), "placed");
});

Deno.test("events of what a subscription has run are handled with it, and their failures are none of its message's", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder, Shipped, log } = chain();
  domain.eventHandler("Places", {
    partOf: Order,
    handles: [on(OrderPlaced, ({ orderId }, ctx) => ctx.publish(Shipped, { orderId }))],
  });
  domain.eventHandler("Ships", {
    partOf: Order,
    handles: [on(Shipped, () => {
      log.push("Ships");
      throw new Error("fails");
    })],
  });
  await using running = await started(domain, { config: inMemory({ ...SYNC, command_processing: "async" }) });
  await domain.process(PlaceOrder, data);
  const [command] = await outbox(running.runtime);
  if (!command) throw new Error("Nothing was sent.");
  assertEquals(log, []);
  assertEquals(await handle(runnerOf(running.runtime, "Commands"), command), "handled");
  assertEquals(log, ["Ships"]);
});

Deno.test("handlers that answer each other for ever end the call", async () => {
  const { domain, Order, Shipped } = chain();
  domain.eventHandler("Echo", {
    partOf: Order,
    handles: [on(Shipped, ({ orderId }, ctx) => ctx.publish(Shipped, { orderId }))],
  });
  await using _running = await started(domain, { config: inMemory(SYNC) });
  const error = await assertRejects(() => domain.publish(Shipped, { orderId: "1" }), ProteanError);
  assertStringIncludes(error.message, "answer each other for ever");
});

Deno.test("handlers run here and met again by their subscriptions have one effect, in memory and on SQLite", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const make of [inMemory, (extra: Row) => inSqlite(folder, extra)]) {
      const { domain, Order, OrderPlaced, PlaceOrder, Counter, log } = chain();
      domain.eventHandler("Counts", {
        partOf: Order,
        handles: [on(OrderPlaced, async ({ orderId }, ctx) => {
          log.push(orderId);
          const row = await ctx.view(Counter).get(orderId);
          await ctx.view(Counter).put({ id: orderId, count: (row?.count ?? 0) + 1 });
        })],
      });
      const config = make({ ...SYNC, server: { health: { enabled: false } } });
      await domain.init({ config, env: "" });
      for (let id = 0; id < 20; id++) await domain.process(PlaceOrder, { orderId: `${id}`, amount: 1 });
      assertEquals(log.length, 20);
      const engine = new Engine(domain, { once: true });
      assertEquals(await engine.run(), 0);
      const counters = engine.subscriptions.find(({ handler }) => handler === "Counts")?.counters;
      assertEquals([log.length, counters?.duplicates, counters?.handled], [20, 20, 0]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a handler that says that it is not idempotent runs again in its subscription", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder, log } = chain();
  domain.eventHandler("Mails", {
    partOf: Order,
    idempotent: false,
    handles: [on(OrderPlaced, () => void log.push("mail"))],
  });
  await using running = await started(domain, { config: inMemory(SYNC) });
  await domain.process(PlaceOrder, data);
  const [message] = await outbox(running.runtime);
  if (!message) throw new Error("Nothing was sent.");
  assertEquals(await handle(runnerOf(running.runtime, "Mails"), message, FREE), "handled");
  assertEquals(log, ["mail", "mail"]);
});
