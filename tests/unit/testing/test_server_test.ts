/** A domain that is served on the clock of the test: everything of a subscription without waiting. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ConfigurationError,
  DeadLetter,
  Discard,
  on,
  ProteanError,
  RetryAfter,
  SubscriptionProfile,
} from "@protean/server";
import { testDomain, type TestOptions, type TestServer } from "@protean/server/testing";
import { z } from "zod";
import { IncorrectUsageError } from "../../../lib/errors.ts";
import { inSqlite, type Shop, shop } from "../domain/fixture.ts";

type Served = Shop & {
  readonly server: TestServer;
  readonly ids: string[];
  readonly test: Awaited<ReturnType<typeof testDomain>>;
};
type Options = Omit<Parameters<Shop["domain"]["eventHandler"]>[1], "handles" | "partOf" | "streamCategory">;

/** Serves a shop whose handler `Works` does `work` for every order that is placed. */
async function serving(
  work: (id: string) => unknown,
  check: (served: Served) => Promise<void>,
  options: Options = {},
  settings: TestOptions = {},
): Promise<void> {
  const made = shop();
  const ids: string[] = [];
  made.domain.eventHandler("Works", {
    partOf: made.Order,
    ...options,
    handles: [on(made.OrderPlaced, ({ orderId }) => {
      ids.push(orderId);
      return work(orderId);
    })],
  });
  await using test = await testDomain(made.domain, settings);
  await using server = await test.serve();
  await check({ ...made, test, server, ids });
}

const order = (orderId: string) => ({ orderId, amount: 5 });

Deno.test("a message that fails is tried again when its backoff says, then dead-lettered", () =>
  serving(() => {
    throw new Error("no");
  }, async ({ server, OrderPlaced, ids }) => {
    await server.send(OrderPlaced, order("a"));
    assertEquals(ids.length, 1);
    await server.advance(1_000);
    assertEquals(ids.length, 2);
    await server.advance(1_800);
    assertEquals(ids.length, 2);
    await server.advance(200);
    assertEquals(ids.length, 3);
    const [letter, ...others] = await server.deadLetters("Works");
    assertEquals([letter?.letter.errorMessage, letter?.letter.retryCount, others], ["no", 3, []]);
    assertEquals(server.subscription("Works").counters.deadLettered, 1);
  }));

Deno.test("what a handler decides: dead-lettered at once, declined, postponed for two hours", () =>
  serving((id) => {
    if (id === "dead") throw new DeadLetter("wrong");
    if (id === "old") throw new Discard("old");
    if (id === "busy") throw new RetryAfter(7_200_000, "busy");
  }, async ({ server, OrderPlaced, ids }) => {
    for (const id of ["dead", "old", "busy", "good"]) await server.send(OrderPlaced, order(id));
    const { counters, declined } = server.subscription("Works");
    assertEquals([counters.deadLettered, counters.postponed, counters.handled], [1, 1, 1]);
    assertEquals(declined, { old: 1 });
    assertEquals(ids, ["dead", "old", "busy", "good"]);
    await server.advance(7_199_000);
    assertEquals(ids.length, 4);
    await server.advance(1_000);
    assertEquals(ids, ["dead", "old", "busy", "good", "busy"]);
  }));

Deno.test("onDeadLetter is a unit of work of its own, whose commands are handled", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder } = shop();
  const told: string[] = [];
  domain.eventHandler("Works", {
    partOf: Order,
    handles: [on(OrderPlaced, () => {
      throw new DeadLetter("wrong");
    })],
    onDeadLetter: (letter, ctx) =>
      ctx.process(PlaceOrder, { orderId: String(letter.failureReason), amount: 1 }),
  });
  domain.commandHandler("Places", {
    partOf: Order,
    handles: [on(PlaceOrder, ({ orderId }) => void told.push(orderId))],
  });
  await using test = await testDomain(domain);
  await using server = await test.serve();
  await server.send(OrderPlaced, order("a"));
  await server.advance(1_000);
  assertEquals([told, server.subscription("Works").counters.hooksFailed], [["DeadLetter: wrong"], 0]);
});

Deno.test("the circuit breaker opens, and closes once its handler works", async () => {
  let broken = true;
  await serving(
    () => {
      if (broken) throw new Error("no");
    },
    async ({ server, OrderPlaced, ids }) => {
      for (const id of ["a", "b", "c"]) await server.send(OrderPlaced, order(id));
      assertEquals([server.subscription("Works").breaker, ids.length], ["open", 2]);
      broken = false;
      await server.advance(30_000);
      assertEquals(ids.length, 2);
      await server.advance(40_000);
      assertEquals([server.subscription("Works").breaker, ids.at(-1)], ["closed", "c"]);
    },
    { subscriptionConfig: { circuitBreakerThreshold: 2, maxRetries: 1 } },
  );
});

Deno.test("a projection is read from the event store, fails, and recovers on a later pass", async () => {
  const { domain, Order, OrderPlaced, Counter } = shop();
  let fails = 1;
  domain.projector("Counting", {
    projection: Counter,
    streamCategories: ["my_domain::order"],
    subscriptionProfile: SubscriptionProfile.PROJECTION,
    handles: [on(OrderPlaced, async ({ orderId }, ctx) => {
      if (fails-- > 0) throw new Error("no");
      const view = ctx.view(Counter);
      await view.put({ id: orderId, count: ((await view.get(orderId))?.count ?? 0) + 1 });
    })],
  });
  await using test = await testDomain(domain);
  await using server = await test.serve();
  for (const id of ["a", "b"]) {
    await domain.unitOfWork(async (ctx) => {
      const made = Order.create({ id, status: "placed", amount: 1 });
      made.raise(OrderPlaced, order(id));
      await ctx.repository(Order).add(made);
    });
    await server.advance(1_000);
  }
  await server.advance(120_000);
  assertEquals(await test.rows(Counter), [{ id: "a", count: 1 }, { id: "b", count: 1 }]);
  assertEquals(server.subscription("Counting").counters.setAside, 1);
});

Deno.test("with sequentialBy a key that fails for good stands still, and the others go on", () =>
  serving((id) => {
    if (id === "bad") throw new Error("no");
  }, async ({ server, OrderPlaced, ids }) => {
    for (const id of ["bad", "bad", "good"]) await server.send(OrderPlaced, order(id));
    await server.advance(60_000);
    assertEquals(ids.filter((id) => id === "bad").length, 3);
    const { counters } = server.subscription("Works");
    assertEquals([counters.halted, counters.handled, counters.deadLettered], [1, 1, 0]);
  }, { sequentialBy: "orderId" }));

Deno.test("another system's entries reach subscribers, and what is none of their kind is dead-lettered", async () => {
  const { domain } = shop();
  const seen: unknown[] = [];
  domain.subscriber("Foreign", { stream: "payments", handle: (payload) => void seen.push(payload) });
  await using test = await testDomain(domain);
  await using server = await test.serve();
  await server.receive("payments", { n: 1 });
  await server.receive("payments", "no JSON");
  assertEquals([seen, (await server.deadLetters("Foreign")).length], [[{ n: 1 }], 1]);
  await assertRejects(() => server.receive("payments", "{}", { broker: "none" }), IncorrectUsageError);
});

Deno.test("errors that usually pass are tried again inside one delivery", async () => {
  let fails = 2;
  const server = { transient_retry: { enabled: true, exceptions: ["TypeError"] } };
  await serving(
    () => {
      if (fails-- > 0) throw new TypeError("passes");
    },
    async ({ server, OrderPlaced, ids }) => {
      await server.send(OrderPlaced, order("a"));
      await server.advance(10_000);
      const { counters } = server.subscription("Works");
      assertEquals([ids.length, counters.handled, counters.failed], [3, 1, 0]);
    },
    {},
    { config: { server } },
  );
});

Deno.test("a command past its deadline is expired", async () => {
  const { domain, Order, PlaceOrder } = shop();
  domain.commandHandler("Places", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  await using test = await testDomain(domain);
  await domain.process(PlaceOrder, order("a"), { asynchronous: true, timeoutMs: 1_000 });
  await test.clock.advance(2_000);
  await using server = await test.serve();
  await server.advance(1_000);
  const { counters } = server.subscription("Places");
  assertEquals([counters.expired, counters.handled], [1, 0]);
});

Deno.test("events that are handled at once need no server, and are not done twice by one", async () => {
  const seen: string[] = [];
  await serving(
    (id) => void seen.push(id),
    async ({ server, domain, OrderPlaced }) => {
      await domain.publish(OrderPlaced, order("a"));
      assertEquals(seen, ["a"]);
      await server.advance(10_000);
      assertEquals([seen, server.subscription("Works").counters.duplicates], [["a"], 1]);
    },
    {},
    { config: { event_processing: "sync" } },
  );
});

Deno.test("a handler that never ends is cut when the server stops, and its message goes to the next server", async () => {
  let hangs = true;
  await serving(
    () => hangs && new Promise(() => {}),
    async ({ server, test, OrderPlaced, ids }) => {
      await server.send(OrderPlaced, order("a"));
      assertEquals(await server.stop(), 1);
      hangs = false;
      await using next = await test.serve();
      await next.advance(30_000);
      assertEquals([ids, next.subscription("Works").counters.handled], [["a", "a"], 1]);
    },
  );
});

Deno.test("beside a server nothing else delivers, and settings that cannot work are one error", async () => {
  await serving(() => {}, async ({ server, test, OrderPlaced }) => {
    await assertRejects(() => test.when(OrderPlaced, order("a")), IncorrectUsageError, "is served");
    await assertRejects(() => test.drain(), IncorrectUsageError, "is served");
    await assertRejects(() => test.receive("s", {}), IncorrectUsageError, "is served");
    await assertRejects(() => test.serve(), IncorrectUsageError, "is served");
    assertThrows(() => server.subscription("Other"), IncorrectUsageError, "name one of Works on");
    await server.stop();
    assertEquals((await test.when(OrderPlaced, order("a"))).failures, []);
  });
  const { domain, Order, OrderPlaced } = shop();
  domain.eventHandler("Wrong", {
    partOf: Order,
    subscriptionConfig: { maxRetries: -1, messagesPerTick: 0 },
    handles: [on(OrderPlaced, () => {})],
  });
  const error = await assertRejects(async () => {
    await using test = await testDomain(domain);
    await using _server = await test.serve();
  }, ConfigurationError);
  assertEquals(error.problems.length, 2);
});

Deno.test("a table of the configuration leaves the others in memory", async () => {
  const { domain } = shop();
  domain.event("Done", {
    partOf: domain.aggregate("Job", { schema: z.object({ id: z.string() }) }),
    schema: z.object({}),
  });
  await using test = await testDomain(domain, { config: { server: { messages_per_tick: 7 } } });
  assertEquals(test.outcome.messages, []);
  await assertRejects(async () => {
    await using _test = await testDomain(shop().domain, { config: { server: 5 } });
  }, ProteanError);
});

Deno.test("handlers that use ctx.sql are served on SQLite: what fails leaves nothing, what is repeated is done once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { domain, Order, OrderPlaced, Counter } = shop();
    let runs = 0;
    domain.eventHandler("Sql", {
      partOf: Order,
      idempotent: true,
      handles: [on(OrderPlaced, async ({ orderId }, ctx) => {
        const table = ctx.sql("protean_my_domain_view_counter");
        const [row] = await ctx.sql<{ n: number }>`select count(*) as n from ${table}`;
        await ctx.view(Counter).put({ id: orderId, count: row?.n ?? -1 });
        if (++runs === 1) throw new Error("once");
      })],
    });
    await using test = await testDomain(domain, { config: inSqlite(folder) });
    await using server = await test.serve();
    await server.send(OrderPlaced, order("a"));
    assertEquals(await test.rows(Counter), []);
    await server.advance(2_000);
    assertEquals([runs, await test.rows(Counter)], [2, [{ id: "a", count: 0 }]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
