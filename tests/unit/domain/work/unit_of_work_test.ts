/** What one unit of work reads, buffers, commits and refuses (design 4, 5; delivery 13 to 15; wire 6.3). */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  CommitRefusedError,
  type Context,
  ExpectedVersionError,
  IncorrectUsageError,
  ObjectNotFoundError,
  on,
  type Row,
  ValidationError,
} from "@protean/server";
import type { ProviderSession, WriteSet } from "@protean/server/adapters";
import { z } from "zod";
import { MemoryCache } from "../../../../lib/adapters/memory/cache.ts";
import { MemoryEventStore } from "../../../../lib/adapters/memory/event_store.ts";
import { MemoryProvider } from "../../../../lib/adapters/memory/provider.ts";
import { SqliteEventStore } from "../../../../lib/adapters/sqlite/event_store.ts";
import { systemClock } from "../../../../lib/async/clock.ts";
import { WorkContext } from "../../../../lib/domain/work/context.ts";
import { MessageDefinition } from "../../../../lib/domain/elements/message_definition.ts";
import { commandMessage, OUTSIDE } from "../../../../lib/domain/work/outgoing.ts";
import { runUnitOfWork } from "../../../../lib/domain/work/run_unit.ts";
import {
  handle,
  inMemory,
  inSqlite,
  outbox,
  published,
  runnerOf,
  type Shop,
  shop,
  started,
} from "../fixture.ts";

/** Runs `test` on the memory database and on SQLite: the rules are the unit of work's, not the adapter's. */
function onBoth(
  name: string,
  test: (my: Shop, running: Awaited<ReturnType<typeof started>>) => Promise<void>,
): void {
  Deno.test(`${name} (memory)`, async () => {
    const my = shop();
    await using running = await started(my.domain);
    await test(my, running);
  });
  Deno.test(`${name} (sqlite)`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const my = shop();
      await using running = await started(my.domain, { config: inSqlite(folder) });
      await test(my, running);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const save = ({ domain, Order, OrderPlaced }: Shop, id: string) =>
  domain.unitOfWork(async (ctx) => {
    const order = Order.create({ id, status: "placed", amount: 1 });
    order.raise(OrderPlaced, { orderId: id, amount: 1 });
    await ctx.repository(Order).add(order);
  });

onBoth("an id is the same instance throughout, also when it was just added", async ({ domain, Order }) => {
  await domain.unitOfWork(async (ctx) => {
    const orders = ctx.repository(Order);
    const order = Order.create({ id: "1", status: "placed", amount: 1 });
    await orders.add(order);
    assertStrictEquals(await orders.get("1"), order);
  });
  await domain.unitOfWork(async (ctx) => {
    const [one, two] = await Promise.all([ctx.repository(Order).get("1"), ctx.repository(Order).find("1")]);
    assertStrictEquals(one, two);
  });
});

onBoth("state and events are taken at the commit, from what was added", async (my, { runtime }) => {
  const { domain, Order, OrderPlaced } = my;
  await domain.unitOfWork(async (ctx) => {
    const order = Order.create({ id: "1", status: "placed", amount: 1 });
    await ctx.repository(Order).add(order);
    order.update({ amount: 2 });
    order.raise(OrderPlaced, { orderId: "1", amount: 2 });
  });
  assertEquals(
    await domain.unitOfWork(async (ctx) => (await ctx.repository(Order).get("1")).state.amount),
    2,
  );
  assertEquals((await outbox(runtime)).length, 1);
});

onBoth(
  "an instance that was not added is not saved, and one that did not change is not written",
  async (my, { runtime }) => {
    const { domain, Order, OrderPlaced } = my;
    await save(my, "1");
    await outbox(runtime);
    await domain.unitOfWork(async (ctx) => {
      const order = await ctx.repository(Order).get("1");
      order.update({ amount: 9 });
      order.raise(OrderPlaced, { orderId: "1", amount: 9 });
    });
    await domain.unitOfWork(async (ctx) => ctx.repository(Order).add(await ctx.repository(Order).get("1")));
    const order = await domain.unitOfWork((ctx) => ctx.repository(Order).get("1"));
    assertEquals([order.version, order.state.amount], [0, 1]);
    assertEquals(await outbox(runtime), []);
  },
);

onBoth(
  "work that throws leaves nothing behind",
  async ({ domain, Order, OrderPlaced, Counter }, { runtime }) => {
    const order = Order.create({ id: "1", status: "placed", amount: 1 });
    order.raise(OrderPlaced, { orderId: "1", amount: 1 });
    const failing = domain.unitOfWork(async (ctx) => {
      await ctx.repository(Order).add(order);
      await ctx.view(Counter).put({ id: "c", count: 1 });
      await ctx.publish(OrderPlaced, { orderId: "2", amount: 2 });
      await ctx.cache.set("key", "value");
      throw new Error("changed my mind");
    });
    await assertRejects(() => failing, Error, "changed my mind");
    assertEquals(await outbox(runtime), []);
    assertEquals(order.version, -1);
    await domain.unitOfWork(async (ctx) => {
      assertEquals(await ctx.repository(Order).find("1"), undefined);
      assertEquals(await ctx.view(Counter).list(), []);
      assertEquals(await ctx.cache.get("key"), undefined);
      await ctx.repository(Order).add(order);
    });
    assertEquals((await outbox(runtime)).map(({ metadata }) => metadata.headers.id), [
      "my_domain::order-1-0.1",
    ]);
  },
);

onBoth("two that load and save the same aggregate conflict, and so do two that create it", async (my) => {
  const { domain, Order } = my;
  await save(my, "1");
  const gate = Promise.withResolvers<void>();
  let waiting = 2;
  const meet = () => --waiting === 0 ? gate.resolve() : gate.promise;
  const bump = () =>
    domain.unitOfWork(async (ctx) => {
      const order = await ctx.repository(Order).get("1");
      order.update({ amount: order.state.amount + 1 });
      await meet();
      await ctx.repository(Order).add(order);
    });
  const results = await Promise.allSettled([bump(), bump()]);
  assertEquals(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const failed = results.find((result) => result.status === "rejected");
  assert(failed?.reason instanceof ExpectedVersionError);
  await assertRejects(() => save(my, "1"), ExpectedVersionError);
});

onBoth(
  "a removed aggregate is gone, and its id is used again without repeating a message id",
  async (my, { runtime }) => {
    const { domain, Order, OrderPlaced } = my;
    await save(my, "1");
    await domain.unitOfWork(async (ctx) => {
      const order = await ctx.repository(Order).get("1");
      order.raise(OrderPlaced, { orderId: "1", amount: 0 });
      await ctx.repository(Order).remove(order);
      assertEquals(await ctx.repository(Order).find("1"), undefined);
    });
    await domain.unitOfWork(async (ctx) => {
      await assertRejects(() => ctx.repository(Order).get("1"), ObjectNotFoundError, "There is no Order '1'");
    });
    await save(my, "1");
    const again = await domain.unitOfWork((ctx) => ctx.repository(Order).get("1"));
    assertEquals([again.version, again.state.amount], [2, 1]);
    assertEquals((await outbox(runtime)).map(({ metadata }) => metadata.headers.id), [
      "my_domain::order-1-0.1",
      "my_domain::order-1-1.1",
      "my_domain::order-1-2.1",
    ]);
  },
);

onBoth("an instance that was removed can be added again", async (my) => {
  const { domain, Order } = my;
  await save(my, "1");
  const order = await domain.unitOfWork(async (ctx) => {
    const found = await ctx.repository(Order).get("1");
    await ctx.repository(Order).remove(found);
    return found;
  });
  await domain.unitOfWork((ctx) => ctx.repository(Order).add(order));
  assertEquals(await domain.unitOfWork(async (ctx) => (await ctx.repository(Order).get("1")).version), 2);
});

onBoth("what is created and removed at once was never there", async ({ domain, Order }, { runtime }) => {
  const order = Order.create({ id: "1", status: "placed", amount: 1 });
  await domain.unitOfWork(async (ctx) => {
    await ctx.repository(Order).add(order);
    await ctx.repository(Order).remove(order);
  });
  assertEquals(await outbox(runtime), []);
  assertEquals(order.version, -1);
  await domain.unitOfWork((ctx) => ctx.repository(Order).add(order));
  assertEquals(order.version, 0);
});

onBoth("stored state that the schema refuses is told, not handed out", async (my, { runtime }) => {
  await save(my, "1");
  const session = runtime.providers.get("default")?.session();
  await session?.commit({
    rows: [{ table: "protean_my_domain_order", id: "1", state: '{"id":"1"}', expected: undefined }],
    outbox: [],
    events: [],
  });
  await assertRejects(
    () => my.domain.unitOfWork((ctx) => ctx.repository(my.Order).get("1")),
    ValidationError,
    "The stored state of Order '1'",
  );
});

onBoth("calls started at once run one after the other", async ({ domain, Order, Counter }) => {
  await domain.unitOfWork(async (ctx) => {
    const ids = Array.from({ length: 20 }, (_, n) => String(n));
    await Promise.all(ids.map(async (id) => {
      await ctx.repository(Order).find(id);
      await ctx.repository(Order).add(Order.create({ id, status: "placed", amount: 1 }));
      await ctx.view(Counter).put({ id, count: 1 });
    }));
    assertEquals((await ctx.view(Counter).list()).length, 20);
  });
  assertEquals(await domain.unitOfWork(async (ctx) => (await ctx.view(Counter).list()).length), 20);
});

onBoth("calls that nobody awaited are part of the unit of work", async ({ domain, Counter }) => {
  await domain.unitOfWork((ctx) => {
    void ctx.view(Counter).put({ id: "x", count: 1 });
    return Promise.resolve();
  });
  assertEquals(await domain.unitOfWork((ctx) => ctx.view(Counter).list()), [{ id: "x", count: 1 }]);
});

onBoth(
  "a context does nothing after its unit of work has ended",
  async ({ domain, Order, OrderPlaced, Counter }) => {
    let kept: Context | undefined;
    await domain.unitOfWork((ctx) => Promise.resolve(void (kept = ctx)));
    const ctx = kept;
    assert(ctx);
    const order = Order.create({ id: "1", status: "placed", amount: 1 });
    const uses: (() => PromiseLike<unknown>)[] = [
      () => ctx.repository(Order).find("1"),
      () => ctx.repository(Order).add(order),
      () => ctx.view(Counter).list(),
      () => ctx.view(Counter).put({ id: "1", count: 1 }),
      () => ctx.publish(OrderPlaced, { orderId: "1", amount: 1 }),
      () => ctx.cache.set("a", 1),
      () => ctx.sql`select 1`,
    ];
    for (const use of uses) await assertRejects(async () => await use(), IncorrectUsageError, "has ended");
  },
);

onBoth("a row that was read is written only if nobody has written it since", async ({ domain, Counter }) => {
  const gate = Promise.withResolvers<void>();
  let waiting = 2;
  const meet = () => --waiting === 0 ? gate.resolve() : gate.promise;
  const results = await Promise.allSettled([1, 2].map(() =>
    domain.unitOfWork(async (ctx) => {
      const row = await ctx.view(Counter).get("x");
      await meet();
      await ctx.view(Counter).put({ id: "x", count: (row?.count ?? 0) + 1 });
    })
  ));
  assertEquals(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  // Without having read, the last one wins.
  await Promise.all(
    [5, 6].map((count) => domain.unitOfWork((ctx) => ctx.view(Counter).put({ id: "x", count }))),
  );
});

/** A shop whose handlers repeat conflicts at once. */
function repeating(my: Shop) {
  const server = { version_retry: { base_delay_seconds: 0, max_retries: 50 } };
  return started(my.domain, { config: inMemory({ server }) });
}

Deno.test("handlers that count in one row lose nothing, as conflicts are repeated", async () => {
  const my = shop();
  my.domain.projector("Count", {
    projection: my.Counter,
    handles: [on(my.OrderPlaced, async (_event, ctx) => {
      const row = await ctx.view(my.Counter).get("x");
      await ctx.view(my.Counter).put({ id: "x", count: (row?.count ?? 0) + 1 });
    })],
  });
  await using running = await repeating(my);
  const message = await published(running.runtime, my.domain, my.OrderPlaced);
  const runner = runnerOf(running.runtime, "Count");
  await Promise.all(Array.from({ length: 20 }, () => handle(runner, message)));
  assertEquals(await my.domain.unitOfWork((ctx) => ctx.view(my.Counter).list()), [{ id: "x", count: 20 }]);
});

Deno.test("a handler uses a removed aggregate's id again, once a conflict has told it to look", async () => {
  const my = shop();
  my.domain.commandHandler("Commands", {
    partOf: my.Order,
    handles: [on(my.PlaceOrder, async ({ orderId, amount }, ctx) => {
      const order = my.Order.create({ id: orderId, status: "placed", amount });
      order.raise(my.OrderPlaced, { orderId, amount });
      await ctx.repository(my.Order).add(order);
    })],
  });
  await using running = await repeating(my);
  const place = () => my.domain.process(my.PlaceOrder, { orderId: "1", amount: 5 }, { asynchronous: false });
  await place();
  await assertRejects(place, ExpectedVersionError);
  await my.domain.unitOfWork(async (ctx) =>
    ctx.repository(my.Order).remove(await ctx.repository(my.Order).get("1"))
  );
  await place();
  assertEquals((await outbox(running.runtime)).map(({ metadata }) => metadata.headers.id), [
    "my_domain::order-1-0.1",
    "my_domain::order-1-2.1",
  ]);
});

Deno.test("conflicts are repeated on the schedule of [server.version_retry], and given up after it", async () => {
  const my = shop();
  const tries: number[] = [];
  my.domain.commandHandler("Commands", {
    partOf: my.Order,
    handles: [on(my.PlaceOrder, () => {
      tries.push(clock.now() - start);
      throw new ExpectedVersionError("somebody else was first");
    })],
  });
  await using running = await started(my.domain);
  const { clock } = running;
  const start = clock.now();
  const handled = my.domain.process(my.PlaceOrder, { orderId: "1", amount: 5 }, { asynchronous: false });
  const outcome = assertRejects(() => handled, ExpectedVersionError);
  await clock.advance(10_000);
  await outcome;
  assertEquals(tries, [0, 50, 150, 350]);
});

Deno.test("a repetition is not waited for beyond a command's deadline, nor once the signal has aborted", async () => {
  const my = shop();
  let tries = 0;
  my.domain.commandHandler("Commands", {
    partOf: my.Order,
    handles: [on(my.PlaceOrder, () => {
      tries++;
      throw new ExpectedVersionError("somebody else was first");
    })],
  });
  await using running = await started(my.domain);
  const data = { orderId: "1", amount: 5 };
  const options = { asynchronous: false, timeoutMs: 50 };
  await assertRejects(() => my.domain.process(my.PlaceOrder, data, options), ExpectedVersionError);
  assertEquals(tries, 1);
  await my.domain.process(my.PlaceOrder, data);
  const [message] = await outbox(running.runtime);
  assert(message);
  const abort = new AbortController();
  const run = handle(runnerOf(running.runtime, "Commands"), message, {
    signal: abort.signal,
    mayCommit: () => true,
  });
  const outcome = assertRejects(() => run, ExpectedVersionError);
  await running.clock.advance(10);
  abort.abort();
  await outcome;
  assertEquals([tries, running.clock.pending], [2, 0]);
});

Deno.test("a view lists what is stored and what is written here, in order of id", async () => {
  const my = shop();
  await using _running = await started(my.domain);
  const ids = (rows: { id: string }[]) => rows.map(({ id }) => id).join("");
  await my.domain.unitOfWork(async (ctx) => {
    for (const id of "bdfhj") await ctx.view(my.Counter).put({ id, count: 1 });
  });
  await my.domain.unitOfWork(async (ctx) => {
    const view = ctx.view(my.Counter);
    await view.put({ id: "a", count: 2 });
    await view.put({ id: "e", count: 2 });
    await view.put({ id: "z", count: 2 });
    await view.put({ id: "d", count: 7 });
    await view.delete("b");
    await view.delete("nothing");
    assertEquals(ids(await view.list()), "adefhjz");
    assertEquals(ids(await view.list({ limit: 3 })), "ade");
    assertEquals(ids(await view.list({ after: "e", limit: 2 })), "fh");
    assertEquals(ids(await view.list({ after: "j" })), "z");
    assertEquals((await view.get("d"))?.count, 7);
    assertEquals(await view.get("b"), undefined);
    for (const limit of [0, -1, 1.5, NaN]) {
      await assertRejects(() => view.list({ limit }), IncorrectUsageError);
    }
  });
  assertEquals(await my.domain.unitOfWork(async (ctx) => ids(await ctx.view(my.Counter).list())), "adefhjz");
});

Deno.test("ctx.sql sees what was written before it, in the same transaction, and a later read sees its effect", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const my = shop();
    await using running = await started(my.domain, { config: inSqlite(folder) });
    await my.domain.unitOfWork(async (ctx) => {
      const order = my.Order.create({ id: "1", status: "placed", amount: 1 });
      order.raise(my.OrderPlaced, { orderId: "1", amount: 1 });
      await ctx.repository(my.Order).add(order);
      await ctx.view(my.Counter).put({ id: "x", count: 1 });
      const orders = ctx.sql("protean_my_domain_order");
      assertEquals(await ctx.sql`select id, version from ${orders} where id = ${"1"}`, [{
        id: "1",
        version: 0,
      }]);
      order.update({ amount: 2 });
      const counters = ctx.sql("protean_my_domain_view_counter");
      await ctx.sql`update ${counters} set state = ${{ id: "x", count: 9 }} where id = ${"x"}`;
      assertEquals(await ctx.view(my.Counter).get("x"), { id: "x", count: 9 });
    });
    const order = await my.domain.unitOfWork((ctx) => ctx.repository(my.Order).get("1"));
    assertEquals([order.version, order.state.amount], [1, 2]);
    assertEquals((await outbox(running.runtime)).map(({ metadata }) => metadata.headers.id), [
      "my_domain::order-1-1.1",
    ]);
    const undone = my.domain.unitOfWork(async (ctx) => {
      await ctx.sql`delete from ${ctx.sql("protean_my_domain_order")}`;
      throw new Error("no");
    });
    await assertRejects(() => undone, Error, "no");
    assert(await my.domain.unitOfWork((ctx) => ctx.repository(my.Order).find("1")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a conflict that ctx.sql meets cannot be swallowed: the unit of work is over", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const my = shop();
    await using running = await started(my.domain, { config: inSqlite(folder) });
    await save(my, "1");
    await outbox(running.runtime);
    const swallowing = my.domain.unitOfWork(async (ctx) => {
      await ctx.repository(my.Order).add(my.Order.create({ id: "1", status: "placed", amount: 1 }));
      await ctx.publish(my.OrderPlaced, { orderId: "2", amount: 1 });
      try {
        await ctx.sql`select 1`;
      } catch { /* as user code may do */ }
    });
    await assertRejects(() => swallowing, ExpectedVersionError);
    assertEquals(await outbox(running.runtime), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Adapters that note the order of their commits. */
function noting(log: string[], extra: Row = {}) {
  const my = shop();
  my.domain.registerAdapter(
    "provider",
    "noting",
    class extends MemoryProvider {
      override session(): ProviderSession {
        const session = super.session();
        const { commit, flush } = session;
        const name = this.name;
        session.flush = (writes: WriteSet) => (log.push(`flush ${name}`), flush.call(session, writes));
        session.commit = (writes: WriteSet) => (log.push(`commit ${name}`), commit.call(session, writes));
        return session;
      }
    },
  );
  my.domain.registerAdapter(
    "event_store",
    "noting",
    class extends MemoryEventStore {
      override sharesTransactionWith(): boolean {
        return false;
      }
      override append(...args: Parameters<MemoryEventStore["append"]>) {
        log.push("append");
        return super.append(...args);
      }
    },
  );
  my.domain.registerAdapter(
    "cache",
    "noting",
    class extends MemoryCache {
      override set(...args: Parameters<MemoryCache["set"]>) {
        log.push("cache");
        return super.set(...args);
      }
    },
  );
  const config = inMemory({
    databases: { default: { provider: "noting" }, analytics: { provider: "noting" } },
    caches: { default: { provider: "noting" } },
    event_store: { provider: "noting" },
    ...extra,
  });
  return { my, config };
}

Deno.test("the main database commits last: behind caches, other databases and an event store of its own", async () => {
  const log: string[] = [];
  const { my, config } = noting(log);
  const Stats = my.domain.projection("Stats", { schema: my.Counter.schema, provider: "analytics" });
  await using _running = await started(my.domain, { config });
  await my.domain.unitOfWork(async (ctx) => {
    await ctx.view(Stats).put({ id: "a", count: 1 });
    await ctx.cache.set("a", 1);
    await ctx.publish(my.OrderPlaced, { orderId: "1", amount: 1 });
  });
  assertEquals(log, [
    "flush analytics",
    "flush default",
    "cache",
    "commit analytics",
    "append",
    "commit default",
  ]);
  log.length = 0;
  await my.domain.unitOfWork((ctx) => ctx.view(Stats).put({ id: "a", count: 2 }));
  assertEquals(log, ["flush analytics", "commit analytics"]);
  log.length = 0;
  await my.domain.unitOfWork((ctx) => ctx.view(my.Counter).put({ id: "a", count: 2 }));
  assertEquals(log, ["commit default"]);
});

Deno.test("nothing is appended or written elsewhere when the main database meets a conflict", async () => {
  const log: string[] = [];
  const { my, config } = noting(log);
  await using _running = await started(my.domain, { config });
  await save(my, "1");
  log.length = 0;
  const again = my.domain.unitOfWork(async (ctx) => {
    await ctx.cache.set("a", 1);
    const order = my.Order.create({ id: "1", status: "placed", amount: 1 });
    order.raise(my.OrderPlaced, { orderId: "1", amount: 1 });
    await ctx.repository(my.Order).add(order);
  });
  await assertRejects(() => again, ExpectedVersionError);
  assertEquals(log, ["flush default"]);
});

Deno.test("everything sent is appended to the event store, in the same transaction where it can be", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const my = shop();
    await using running = await started(my.domain, { config: inSqlite(folder) });
    await save(my, "1");
    await my.domain.process(my.PlaceOrder, { orderId: "1", amount: 1 });
    const stored = await running.runtime.eventStore?.read("$all", { limit: 10 });
    assertEquals(stored?.map(({ stream, type }) => [stream, type]), [
      ["my_domain::order-1", "MyDomain.OrderPlaced.v1"],
      ["my_domain::order:command-1", "MyDomain.PlaceOrder.v1"],
    ]);
    await assertRejects(() => save(my, "1"), ExpectedVersionError);
    assertEquals((await running.runtime.eventStore?.read("$all", { limit: 10 }))?.length, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("without an event store nothing is appended, and processing answers no position", async () => {
  const { domain, PlaceOrder } = shop();
  await using running = await started(domain);
  assertEquals(await domain.process(PlaceOrder, { orderId: "1", amount: 1 }), 0);
  const runtime = { ...running.runtime, eventStore: undefined };
  const { processCommand } = await import("../../../../lib/domain/handlers/sending.ts");
  const { messageOf } = await import("../../../../lib/domain/elements/message_definition.ts");
  const data = { orderId: "1", amount: 1 };
  assertEquals(
    await processCommand(runtime, messageOf(PlaceOrder), data, { asynchronous: true }, undefined),
    undefined,
  );
});

Deno.test("two instances of one id in a unit of work are a mistake, and so is a stranger in a repository", async () => {
  const { domain, Order } = shop();
  const Other = domain.aggregate("Other", { schema: z.object({ id: z.string() }) });
  await using _running = await started(domain);
  await domain.unitOfWork(async (ctx) => {
    await ctx.repository(Order).add(Order.create({ id: "1", status: "placed", amount: 1 }));
    await assertRejects(
      () => ctx.repository(Order).add(Order.create({ id: "1", status: "placed", amount: 2 })),
      IncorrectUsageError,
      "another instance",
    );
    const stranger = Other.create({ id: "1" }) as unknown as ReturnType<typeof Order.create>;
    await assertRejects(
      () => ctx.repository(Order).add(stranger),
      IncorrectUsageError,
      "Only instances of Order",
    );
  });
  const foreign = shop();
  await domain.unitOfWork((ctx) => {
    const use = () => Promise.resolve(ctx.repository(foreign.Order));
    return assertRejects(async () => await use(), IncorrectUsageError, "another domain");
  });
  await domain.unitOfWork(async (ctx) => {
    const data = { orderId: "1", amount: 1 };
    await assertRejects(
      () => ctx.publish(foreign.OrderPlaced, data),
      IncorrectUsageError,
      "belongs to another domain",
    );
    await assertRejects(async () => await Promise.resolve(ctx.message), IncorrectUsageError, "No message");
  });
});

Deno.test("nothing goes to other caches or an event store of its own when the work is given up between two writes", async () => {
  const log: string[] = [];
  const { my, config } = noting(log);
  await using running = await started(my.domain, { config });
  const guard = { signal: new AbortController().signal, mayCommit: () => !log.includes("cache") };
  const given = runUnitOfWork(
    running.runtime,
    { name: "test", origin: OUTSIDE, guard, repeat: false },
    async (unit) => {
      const ctx = new WorkContext(unit, guard, "test");
      await ctx.cache.set("a", 1);
      await ctx.cache.set("b", 1);
      await ctx.publish(my.OrderPlaced, { orderId: "1", amount: 1 });
    },
  );
  await assertRejects(() => given, CommitRefusedError, "given up");
  assertEquals(log, ["flush default", "cache"]);
});

for (const kept of ["with rows of the main database", "alone"]) {
  Deno.test(`an append that waits for its turn, ${kept}, is given up with the work`, async () => {
    const folder = await Deno.makeTempDir();
    const my = shop();
    const asked = Promise.withResolvers<void>();
    my.domain.registerAdapter(
      "event_store",
      "asked",
      class extends SqliteEventStore {
        override append(...args: Parameters<SqliteEventStore["append"]>) {
          asked.resolve();
          return super.append(...args);
        }
      },
    );
    const file = `${folder}/events.db`;
    const config = inMemory({ event_store: { provider: "asked", database_uri: `sqlite:///${file}` } });
    const [cut, givenUp] = [new AbortController(), new AbortController()];
    const guard = { signal: cut.signal, givenUp: givenUp.signal, mayCommit: () => !givenUp.signal.aborted };
    try {
      await using running = await started(my.domain, { config, clock: systemClock });
      const data = { orderId: "1", amount: 1 };
      const options = { name: "test", origin: OUTSIDE, guard, repeat: false };
      using other = new DatabaseSync(file);
      other.exec("begin immediate");
      const given = runUnitOfWork(running.runtime, options, (unit) => {
        if (kept === "alone") {
          const command: unknown = my.PlaceOrder;
          assert(command instanceof MessageDefinition);
          return unit.record(
            commandMessage(running.runtime, command, data, { asynchronous: false }, OUTSIDE),
          );
        }
        return new WorkContext(unit, guard, "test").publish(my.OrderPlaced, data);
      });
      given.catch(() => {});
      await asked.promise;
      cut.abort();
      givenUp.abort();
      other.exec("rollback");
      await assertRejects(() => given, CommitRefusedError, "given up");
      assertEquals(await running.runtime.eventStore?.last("$all"), undefined);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("rows are written in one order: by table, then by code point of their ids", async () => {
  const my = shop();
  const written: string[] = [];
  my.domain.registerAdapter(
    "provider",
    "noting",
    class extends MemoryProvider {
      override session(): ProviderSession {
        const session = super.session();
        const { commit } = session;
        session.commit = (writes: WriteSet) => {
          written.push(
            ...writes.rows.map(({ table, id }) => `${table.slice("protean_my_domain_".length)} ${id}`),
          );
          return commit.call(session, writes);
        };
        return session;
      }
    },
  );
  const config = inMemory({ databases: { default: { provider: "noting" } } });
  await using _running = await started(my.domain, { config });
  await my.domain.unitOfWork(async (ctx) => {
    for (const id of ["\u{1f600}", "\uff5e", "b", "a"]) {
      await ctx.view(my.Counter).put({ id, count: 1 });
      await ctx.repository(my.Order).add(my.Order.create({ id, status: "placed", amount: 1 }));
    }
  });
  const ids = ["a", "b", "\uff5e", "\u{1f600}"];
  assertEquals(written, [...ids.map((id) => `order ${id}`), ...ids.map((id) => `view_counter ${id}`)]);
});
