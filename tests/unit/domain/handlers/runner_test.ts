/** Judging and running messages (delivery 5, 10, 16; PIPE-13, PIPE-15, POOL-3). */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import {
  CommitRefusedError,
  type Context,
  DeserializationError,
  Domain,
  type Message,
  on,
  onAny,
  ValidationError,
} from "@protean/server";
import type { ProviderSession } from "@protean/server/adapters";
import { z } from "zod";
import { MemoryProvider } from "../../../../lib/adapters/memory/provider.ts";
import type { RunOptions } from "../../../../lib/domain/handler_port.ts";
import { FREE, handle, inMemory, outbox, published, runnerOf, shop, started } from "../fixture.ts";

const data = { orderId: "1", amount: 5 };

/** `message` under another type, with other headers or data. */
function changed(
  message: Message,
  headers: Partial<Message["metadata"]["headers"]>,
  more: Partial<Message> = {},
): Message {
  return {
    ...message,
    ...more,
    metadata: { ...message.metadata, headers: { ...message.metadata.headers, ...headers } },
  };
}

Deno.test("a message is judged by its type", async (t) => {
  const { domain, Order, OrderPlaced } = shop();
  const Unhandled = domain.event("Unhandled", { partOf: Order, schema: z.object({}) });
  const Paid = domain.externalEvent("Shop.Paid.v1", { schema: z.object({ sum: z.number() }) });
  const nothing = () => {};
  domain.eventHandler("Exact", { partOf: Order, handles: [on(OrderPlaced, nothing), on(Paid, nothing)] });
  domain.eventHandler("Any", { partOf: Order, handles: [onAny(nothing), on(OrderPlaced, nothing)] });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  const cases: [string, Message, string, string][] = [
    ["one it handles", message, "run", "run"],
    ["one with a payload that the schema refuses", { ...message, data: {} }, "poison", "poison"],
    [
      "one of this domain that it does not handle",
      changed(message, { type: Unhandled.typeString }, { data: {} }),
      "ignored",
      "run",
    ],
    [
      "an external one that is registered",
      changed(message, { type: "Shop.Paid.v1" }, { data: { sum: 1 } }),
      "run",
      "run",
    ],
    ["an external one with a bad payload", changed(message, { type: "Shop.Paid.v1" }), "poison", "poison"],
    [
      "an external version that nobody registered",
      changed(message, { type: "Shop.Paid.v2" }),
      "foreign",
      "run",
    ],
    ["another domain's", changed(message, { type: "Other.Thing.v1" }), "foreign", "run"],
    [
      "one of this domain that nobody registered",
      changed(message, { type: "MyDomain.Nope.v1" }),
      "poison",
      "run",
    ],
    ["a version without an upcaster", changed(message, { type: "MyDomain.OrderPlaced.v2" }), "poison", "run"],
    ["no type string", changed(message, { type: "Read" }), "poison", "run"],
    ["a type from a prototype", changed(message, { type: "constructor" }), "poison", "run"],
  ];
  for (const [name, candidate, exact, any] of cases) {
    await t.step(`${name}: ${exact}, with a catch-all ${any}`, () => {
      assertEquals(runnerOf(running.runtime, "Exact").judge(candidate).kind, exact);
      assertEquals(runnerOf(running.runtime, "Any").judge(candidate).kind, any);
    });
  }
});

Deno.test("poison says why: the schema's refusal, or the type that nobody registered", async () => {
  const { domain, Order, OrderPlaced } = shop();
  domain.eventHandler("Exact", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Exact");
  const message = await published(running.runtime, domain, OrderPlaced);
  const refused = runner.judge({ ...message, data: { orderId: 1 } });
  assert(refused.kind === "poison");
  assertInstanceOf(refused.error, ValidationError);
  const unknown = runner.judge(changed(message, { type: `MyDomain.${"x".repeat(10_000)}.v1` }));
  assert(unknown.kind === "poison");
  assertInstanceOf(unknown.error, DeserializationError);
  assert(unknown.error.message.length < 500);
});

Deno.test("a catch-all gets what no other method of its handler wants, validated where the type is known", async () => {
  const { domain, Order, OrderPlaced } = shop();
  const Dated = domain.event("Dated", { partOf: Order, schema: z.object({ at: z.coerce.date() }) });
  const seen: unknown[] = [];
  domain.eventHandler("Any", {
    partOf: Order,
    handles: [onAny((payload) => seen.push(payload)), on(OrderPlaced, () => seen.push("exact"))],
  });
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Any");
  const message = await published(running.runtime, domain, OrderPlaced);
  await handle(runner, message);
  await handle(runner, changed(message, { type: Dated.typeString }, { data: { at: "2026-01-02" } }));
  await handle(runner, changed(message, { type: "Other.Thing.v1" }, { data: { raw: 1 } }));
  assertEquals(seen, ["exact", { at: new Date("2026-01-02") }, { raw: 1 }]);
});

Deno.test("older versions are brought up to date, one step after the other, without changing the message", async () => {
  const { domain, Order } = shop();
  const V3 = domain.event("Renamed", {
    partOf: Order,
    version: 3,
    schema: z.object({ orderId: z.string(), total: z.number(), currency: z.string() }),
    upcasters: {
      1: (row) => {
        row.total = row.sum;
        delete row.sum;
        return row;
      },
      2: (row) => ({ ...row, currency: "EUR" }),
    },
  });
  const seen: unknown[] = [];
  domain.eventHandler("Events", { partOf: Order, handles: [on(V3, (event) => seen.push(event))] });
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Events");
  await domain.publish(V3, { orderId: "1", total: 1, currency: "USD" });
  const [message] = await outbox(running.runtime);
  assert(message);
  const v1 = changed(message, { type: "MyDomain.Renamed.v1" }, { data: { orderId: "1", sum: 5 } });
  await handle(runner, v1);
  await handle(runner, v1);
  await handle(
    runner,
    changed(message, { type: "MyDomain.Renamed.v2" }, { data: { orderId: "1", total: 6 } }),
  );
  const current = { orderId: "1", total: 5, currency: "EUR" };
  assertEquals(seen, [current, current, { ...current, total: 6 }]);
  assertEquals(v1.data, { orderId: "1", sum: 5 });
});

Deno.test("versions before a gap in the upcasters are poison, and so is what an upcaster fails on", async () => {
  const { domain, Order } = shop();
  const V4 = domain.event("Renamed", {
    partOf: Order,
    version: 4,
    schema: z.object({}),
    upcasters: {
      1: (row) => row,
      3: (row) => {
        if (row.bad) throw new TypeError("bad row");
        return undefined as unknown as Record<string, unknown>;
      },
    },
  });
  domain.eventHandler("Events", { partOf: Order, handles: [on(V4, () => {})] });
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Events");
  await domain.publish(V4, {});
  const [message] = await outbox(running.runtime);
  assert(message);
  const judged = (version: number, row = {}) => {
    const verdict = runner.judge(changed(message, { type: `MyDomain.Renamed.v${version}` }, { data: row }));
    return verdict.kind === "poison" ? verdict.error.message : verdict.kind;
  };
  assertStringIncludes(judged(1), "is not registered");
  assertStringIncludes(judged(2), "is not registered");
  assertStringIncludes(judged(3), "returned no object");
  assertStringIncludes(judged(3, { bad: true }), "bad row");
  assertEquals(judged(4), "run");
});

Deno.test("a command is expired from its deadline on", async () => {
  const { domain, Order, PlaceOrder } = shop();
  domain.commandHandler("Commands", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  await using running = await started(domain);
  await domain.process(PlaceOrder, data, { timeoutMs: 1000 });
  const [message] = await outbox(running.runtime);
  assert(message);
  const runner = runnerOf(running.runtime, "Commands");
  await running.clock.advance(999);
  assertEquals(runner.judge(message).kind, "run");
  await running.clock.advance(1);
  assertEquals(runner.judge(message).kind, "expired");
  assertEquals(runner.judge(changed(message, { deadline: "never" })).kind, "run");
});

Deno.test("every method runs in its own unit of work, and a failing one does not keep its siblings from running", async () => {
  const { domain, Order, OrderPlaced, Counter } = shop();
  const put = (id: string) => (_event: unknown, ctx: Context) => ctx.view(Counter).put({ id, count: 1 });
  const fail = (id: string) => async (_event: unknown, ctx: Context) => {
    await put(id)(_event, ctx);
    throw new Error(`${id} failed`);
  };
  domain.eventHandler("Three", {
    partOf: Order,
    handles: [on(OrderPlaced, put("a")), on(OrderPlaced, fail("b")), on(OrderPlaced, put("c"))],
  });
  domain.eventHandler("Two", {
    partOf: Order,
    handles: [on(OrderPlaced, fail("d")), on(OrderPlaced, fail("e"))],
  });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  await assertRejects(() => handle(runnerOf(running.runtime, "Three"), message), Error, "b failed");
  const both = await assertRejects(() => handle(runnerOf(running.runtime, "Two"), message), AggregateError);
  assertEquals(both.errors.map((error: Error) => error.message), ["d failed", "e failed"]);
  const rows = await domain.unitOfWork((ctx) => ctx.view(Counter).list());
  assertEquals(rows.map(({ id }) => id), ["a", "c"]);
});

Deno.test("an idempotent handler has its effect once, method by method", async () => {
  const { domain, Order, OrderPlaced } = shop();
  const ran: string[] = [];
  let broken = true;
  domain.eventHandler("Once", {
    partOf: Order,
    idempotent: true,
    handles: [
      on(OrderPlaced, () => ran.push("first")),
      on(OrderPlaced, () => {
        if (broken) throw new Error("not yet");
        ran.push("second");
      }),
    ],
  });
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Once");
  const message = await published(running.runtime, domain, OrderPlaced);
  await assertRejects(() => handle(runner, message), Error, "not yet");
  broken = false;
  assertEquals(await handle(runner, message), "handled");
  assertEquals(await handle(runner, message), "duplicate");
  assertEquals(ran, ["first", "second"]);
});

Deno.test("of two deliveries at once one has the effect", async () => {
  const { domain, Order, OrderPlaced, Counter } = shop();
  const gate = Promise.withResolvers<void>();
  domain.eventHandler("Once", {
    partOf: Order,
    idempotent: true,
    handles: [on(OrderPlaced, async (_event, ctx) => {
      const row = await ctx.view(Counter).get("x");
      await gate.promise;
      await ctx.view(Counter).put({ id: "x", count: (row?.count ?? 0) + 1 });
    })],
  });
  await using running = await started(domain, {
    config: inMemory({ server: { version_retry: { base_delay_seconds: 0 } } }),
  });
  const runner = runnerOf(running.runtime, "Once");
  const message = await published(running.runtime, domain, OrderPlaced);
  const both = Promise.all([handle(runner, message), handle(runner, message)]);
  gate.resolve();
  assertEquals((await both).sort(), ["duplicate", "handled"]);
  assertEquals(await domain.unitOfWork((ctx) => ctx.view(Counter).list()), [{ id: "x", count: 1 }]);
});

Deno.test("handlers are idempotent as they say, command handlers anyway, and settings have the last word", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder } = shop();
  const ran: string[] = [];
  domain.eventHandler("Plain", { partOf: Order, handles: [on(OrderPlaced, () => ran.push("plain"))] });
  domain.commandHandler("Commands", { partOf: Order, handles: [on(PlaceOrder, () => ran.push("command"))] });
  await using running = await started(domain);
  const { runtime } = running;
  const event = await published(runtime, domain, OrderPlaced);
  await domain.process(PlaceOrder, data);
  const [command] = await outbox(runtime);
  assert(command);
  const twice = async (name: string, message: Message, idempotent?: boolean) => {
    const runner = runnerOf(runtime, name);
    const bound = idempotent === undefined ? runner : runtime.bind(runner, { idempotent });
    return [await handle(bound, message), await handle(bound, message)];
  };
  assertEquals(await twice("Plain", event), ["handled", "handled"]);
  assertEquals(await twice("Plain", event, true), ["handled", "duplicate"]);
  assertEquals(await twice("Commands", command, false), ["handled", "handled"]);
  assertEquals(await twice("Commands", command), ["handled", "duplicate"]);
});

Deno.test("Python's commands, whose id is their aggregate's, are told apart by the broker's id", async () => {
  const { domain, Order, PlaceOrder } = shop();
  domain.commandHandler("Commands", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Commands");
  await domain.process(PlaceOrder, data);
  const [ours] = await outbox(running.runtime);
  assert(ours);
  const theirs = changed(ours, { id: "1" });
  const at = (id: string): RunOptions => ({ ...FREE, id });
  assertEquals(await handle(runner, theirs, at("5-0")), "handled");
  assertEquals(await handle(runner, theirs, at("6-0")), "handled");
  assertEquals(await handle(runner, theirs, at("5-0")), "duplicate");
  // Ours travel at least once too: another entry of the same command is the same command.
  assertEquals(await handle(runner, ours, at("7-0")), "handled");
  assertEquals(await handle(runner, ours, at("8-0")), "duplicate");
  const stored = {
    ...theirs,
    metadata: { ...theirs.metadata, event_store: { global_position: 7, position: 0 } },
  };
  assertEquals(await handle(runner, stored), "handled");
  assertEquals(await handle(runner, stored), "duplicate");
  assertEquals(await handle(runner, changed(theirs, { time: "2026-01-01T00:00:00+00:00" })), "handled");
  assertEquals(await handle(runner, changed(theirs, { time: "2026-01-02T00:00:00+00:00" })), "handled");
});

/** A domain whose database counts its sessions. */
function counting(idempotent: boolean, work: (ctx: Context) => unknown) {
  const my = shop();
  const sessions = { opened: 0 };
  my.domain.registerAdapter(
    "provider",
    "counting",
    class extends MemoryProvider {
      override session(): ProviderSession {
        sessions.opened++;
        return super.session();
      }
    },
  );
  my.domain.eventHandler("Events", {
    partOf: my.Order,
    idempotent,
    handles: [on(my.OrderPlaced, (_event, ctx) => work(ctx))],
  });
  const config = inMemory({ databases: { default: { provider: "counting" } } });
  return { ...my, sessions, config };
}

Deno.test("a handler that touches nothing opens no session", async () => {
  const touches: Record<string, [boolean, (ctx: Context) => unknown, number]> = {
    "nothing": [false, () => {}, 0],
    "what costs nothing": [false, (ctx) => [ctx.message, ctx.signal, ctx.log, ctx.sql], 0],
    "the cache": [false, (ctx) => ctx.cache.set("a", 1), 0],
    "nothing, but once": [true, () => {}, 1],
  };
  for (const [name, [idempotent, work, expected]] of Object.entries(touches)) {
    const { domain, OrderPlaced, sessions, config } = counting(idempotent, work);
    await using running = await started(domain, { config });
    const message = await published(running.runtime, domain, OrderPlaced);
    sessions.opened = 0;
    assertEquals(await handle(runnerOf(running.runtime, "Events"), message), "handled");
    assertEquals(sessions.opened, expected, name);
  }
});

Deno.test("work that may not commit any more does not, and its siblings are not started", async () => {
  const { domain, Order, OrderPlaced, Counter } = shop();
  let lost = false;
  const ran: string[] = [];
  const work = (id: string) => async (_event: unknown, ctx: Context) => {
    ran.push(id);
    await ctx.view(Counter).put({ id, count: 1 });
    lost = true;
  };
  domain.eventHandler("Events", {
    partOf: Order,
    handles: [on(OrderPlaced, work("a")), on(OrderPlaced, work("b"))],
  });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  const options = { ...FREE, mayCommit: () => !lost };
  await assertRejects(
    () => handle(runnerOf(running.runtime, "Events"), message, options),
    CommitRefusedError,
  );
  assertEquals(ran, ["a"]);
  assertEquals(await domain.unitOfWork((ctx) => ctx.view(Counter).list()), []);
});

Deno.test("a sibling is not started either when the one before it has noticed and returned", async () => {
  const { domain, Order, OrderPlaced } = shop();
  let lost = false;
  const ran: string[] = [];
  const work = (id: string) => () => {
    ran.push(id);
    lost = true;
  };
  domain.eventHandler("Events", {
    partOf: Order,
    handles: [on(OrderPlaced, work("a")), on(OrderPlaced, work("b"))],
  });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  const options = { ...FREE, mayCommit: () => !lost };
  await assertRejects(
    () => handle(runnerOf(running.runtime, "Events"), message, options),
    CommitRefusedError,
  );
  assertEquals(ran, ["a"]);
});

Deno.test("a handler whose signal aborts has a second to end in; then its session is gone", async (t) => {
  const { domain, Order, OrderPlaced, Counter } = shop();
  let touched = Promise.withResolvers<void>();
  let resume = Promise.withResolvers<void>();
  domain.eventHandler("Events", {
    partOf: Order,
    handles: [on(OrderPlaced, async (_event, ctx) => {
      const row = await ctx.view(Counter).get("x");
      touched.resolve();
      await resume.promise;
      await ctx.view(Counter).put({ id: "x", count: (row?.count ?? 0) + 1 });
    })],
  });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  const cut = async (mayCommit: boolean, afterMs: number) => {
    [touched, resume] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const abort = new AbortController();
    let allowed = true;
    const options = { signal: abort.signal, mayCommit: () => allowed };
    const running_ = handle(runnerOf(running.runtime, "Events"), message, options);
    running_.catch(() => {});
    await touched.promise;
    allowed = mayCommit;
    abort.abort();
    await running.clock.advance(afterMs);
    allowed = true;
    resume.resolve();
    return await running_.catch((error) => error.constructor.name);
  };
  await t.step("within the second it commits", async () => assertEquals(await cut(true, 999), "handled"));
  await t.step(
    "after it, it does not",
    async () => assertEquals(await cut(true, 1000), "CommitRefusedError"),
  );
  await t.step(
    "a lost message's is gone at once",
    async () => assertEquals(await cut(false, 0), "CommitRefusedError"),
  );
  assertEquals(running.clock.pending, 0);
  assertEquals(await domain.unitOfWork((ctx) => ctx.view(Counter).list()), [{ id: "x", count: 1 }]);
});

Deno.test("a handler may throw anything", async () => {
  const { domain, Order, OrderPlaced } = shop();
  const thrown: unknown[] = ["text", undefined, { code: 5 }];
  let next: unknown;
  domain.eventHandler("Events", {
    partOf: Order,
    handles: [on(OrderPlaced, () => {
      throw next;
    })],
  });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  for (next of thrown) {
    await assertRejects(() => handle(runnerOf(running.runtime, "Events"), message), Error, String(next));
  }
});

Deno.test("groups, categories and options are what subscriptions go by", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder, Counter } = shop();
  const Cart = domain.aggregate("Cart", { schema: z.object({ id: z.string() }) });
  const EmptyCart = domain.command("EmptyCart", { partOf: Cart, schema: z.object({ id: z.string() }) });
  const Emptied = domain.event("Emptied", { partOf: Cart, schema: z.object({ id: z.string() }) });
  const nothing = () => {};
  domain.commandHandler("Commands", {
    partOf: Order,
    handles: [on(PlaceOrder, nothing), on(EmptyCart, nothing)],
  });
  domain.eventHandler("Shared", {
    streamCategory: "shop::order",
    consumerGroup: "shop.domain.OrderEvents",
    concurrency: 4,
    handles: [onAny(nothing)],
  });
  const handles = [on(OrderPlaced, nothing), on(Emptied, nothing)];
  domain.projector("Implied", { projection: Counter, handles });
  domain.projector("Told", { projection: Counter, streamCategories: ["a", "b", "a"], handles });
  await using running = await started(domain);
  const { runners } = running.runtime;
  assertEquals(
    runners.map((
      { name, kind, group, sharedGroup, categories },
    ) => [name, kind, group, sharedGroup, categories]),
    [
      ["Commands", "command_handler", "my_domain.Commands", false, [
        "my_domain::order:command",
        "my_domain::cart:command",
      ]],
      ["Shared", "event_handler", "shop.domain.OrderEvents", true, ["shop::order"]],
      ["Implied", "projector", "my_domain.Implied", false, ["my_domain::order", "my_domain::cart"]],
      ["Told", "projector", "my_domain.Told", false, ["a", "b"]],
    ],
  );
  assertEquals(runners[1]?.options.concurrency, 4);
});

Deno.test("a domain of another name in camel case reads its own type strings", async () => {
  const domain = new Domain("HTTPApi");
  const Call = domain.aggregate("Call", { schema: z.object({ id: z.string() }) });
  const Made = domain.event("Made", { partOf: Call, schema: z.object({ id: z.string() }) });
  domain.eventHandler("Events", { partOf: Call, handles: [on(Made, () => {})] });
  await using running = await started(domain);
  await domain.publish(Made, { id: "1" });
  const [message] = await outbox(running.runtime);
  assert(message);
  assertEquals([message.type, message.stream], ["HttpApi.Made.v1", "httpapi::call-1"]);
  const runner = runnerOf(running.runtime, "Events");
  assertEquals(runner.judge(message).kind, "run");
  assertEquals(runner.judge(changed(message, { type: "HttpApi.Lost.v1" })).kind, "poison");
});

Deno.test("what a handler writes carries the trace that it is run with on, and no other", async () => {
  const my = shop();
  const { domain, Order, OrderPlaced, PlaceOrder } = my;
  const Noted = domain.event("Noted", { partOf: Order, schema: z.object({ orderId: z.string() }) });
  domain.eventHandler("Writes", {
    partOf: Order,
    handles: [on(OrderPlaced, async ({ orderId }, ctx) => {
      const order = Order.create({ id: crypto.randomUUID(), status: "placed", amount: 1 });
      order.raise(Noted, { orderId });
      await ctx.repository(Order).add(order);
      await ctx.publish(Noted, { orderId });
      await ctx.process(PlaceOrder, { orderId, amount: 1 });
    })],
  });
  await using running = await started(domain);
  const parent = {
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    parent_id: "b7ad6b7169203331",
    sampled: true,
  };
  const own = { ...parent, parent_id: "00f067aa0ba902b7" };
  // Its own parent is where the span of its handling hangs, which is what is handed on (wire 9.4).
  const message = changed(await published(running.runtime, domain, OrderPlaced), { traceparent: parent });
  const runner = runnerOf(running.runtime, "Writes");
  const written = async (options: RunOptions) => {
    await handle(runner, message, options);
    return (await outbox(running.runtime)).map(({ metadata }) => metadata.headers.traceparent);
  };
  assertEquals(await written({ ...FREE, trace: { traceparent: own, tracestate: "a=1" } }), [own, own, own]);
  assertEquals(await written({ ...FREE, trace: null }), [null, null, null]);
  assertEquals(await written(FREE), [null, null, null]);
});
