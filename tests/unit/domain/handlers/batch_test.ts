/** Batch handlers and projectors with `batch`, served in memory: one unit of work, the culprit alone, order. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type BatchContext,
  ConfigurationError,
  type Context,
  DeadLetter,
  Discard,
  type HandlerOptions,
  IncorrectUsageError,
  type Message,
  MessageConflictError,
  on,
  onAny,
  onBatch,
  RetryAfter,
} from "@protean/server";
import { testDomain, type TestServer } from "@protean/server/testing";
import { MemorySession } from "../../../../lib/adapters/memory/session.ts";
import type { BatchMember } from "../../../../lib/domain/handler_port.ts";
import { FREE, handle, published, runnerOf, type Shop, shop, started } from "../fixture.ts";

interface Placed {
  readonly orderId: string;
  readonly amount: number;
}

interface Served extends Shop {
  readonly server: TestServer;
  /** The events of each call, `a1 b2`: order and amount. */
  readonly calls: string[];
  readonly test: Awaited<ReturnType<typeof testDomain>>;
  /** Publishes `a1 b2` in one unit of work, and lets `ms` pass. */
  publish(events: string, ms?: number): Promise<void>;
  /** The rows of the view, `a1 b3`. */
  counted(): Promise<string>;
}

const told = (events: readonly Placed[]) => events.map(({ orderId, amount }) => orderId + amount).join(" ");

type Work = (events: readonly Placed[], ctx: BatchContext, served: Shop) => unknown;
type Options = Omit<HandlerOptions, "handles"> & { size?: number; maxWaitMs?: number };

async function withServed(
  declare: (made: Shop, calls: string[]) => void,
  check: (served: Served) => Promise<void>,
): Promise<void> {
  const made = shop();
  const calls: string[] = [];
  declare(made, calls);
  await using test = await testDomain(made.domain);
  await using server = await test.serve();
  const publish = async (events: string, ms = 100) => {
    await made.domain.unitOfWork(async (ctx) => {
      for (const event of events.split(" ")) {
        await ctx.publish(made.OrderPlaced, { orderId: event.slice(0, 1), amount: Number(event.slice(1)) });
      }
    });
    await server.advance(ms);
  };
  const counted = async () =>
    (await test.rows(made.Counter)).map(({ id, count }) => `${id}${count}`).join(" ");
  await check({ ...made, test, server, calls, publish, counted });
}

/** Serves a shop whose handler `Works` takes orders in batches. */
const serving = (
  work: Work,
  check: (served: Served) => Promise<void>,
  { size = 100, maxWaitMs = 0, ...options }: Options = {},
) =>
  withServed((made, calls) => {
    made.domain.eventHandler("Works", {
      partOf: made.Order,
      ...options,
      handles: [onBatch(made.OrderPlaced, { size, maxWaitMs }, (events, ctx) => {
        calls.push(told(events));
        return work(events, ctx, made);
      })],
    });
  }, check);

/** Writes a row for each, `a1` as row `a1`. */
const write = async (events: readonly Placed[], ctx: Pick<Context, "view">, { Counter }: Shop) => {
  for (const { orderId, amount } of events) {
    await ctx.view(Counter).put({ id: orderId + amount, count: 0 });
  }
};

const counters = (server: TestServer) => server.subscription("Works").counters;

Deno.test("a batch is one call with all that is there, in order, and one unit of work", () =>
  serving(async (events, ctx, made) => {
    assertEquals(ctx.messages.map(({ stream }) => stream.at(-1)), events.map(({ orderId }) => orderId));
    await write(events, ctx, made);
  }, async ({ publish, calls, counted, server }) => {
    await publish("a1 b1 a2 c1 a3");
    assertEquals(calls, ["a1 b1 a2 c1 a3"]);
    assertEquals(await counted(), "a10 a20 a30 b10 c10");
    assertEquals(counters(server).handled, 5);
    assertEquals(server.subscription("Works").unfinished, 0);
  }));

Deno.test("a batch has no more than its size", () =>
  serving(() => {}, async ({ publish, calls }) => {
    await publish("a1 b1 a2 c1 a3 b2 c2");
    assertEquals(calls, ["a1 b1 a2", "c1 a3 b2", "c2"]);
  }, { size: 3 }));

Deno.test("a batch that is not full waits for more, a lone event no longer than maxWaitMs", () =>
  serving(() => {}, async ({ publish, calls, server }) => {
    await publish("a1", 300);
    assertEquals(calls, []);
    await publish("b1", 300);
    await publish("c1", 300);
    assertEquals(calls, []);
    await server.advance(100);
    assertEquals(calls, ["a1 b1 c1"]);
    await publish("a2", 900);
    assertEquals(calls.length, 1);
    await server.advance(100);
    assertEquals(calls[1], "a2");
    // Full before its time.
    await publish("a3 b3 c3 d3", 50);
    assertEquals(calls[2], "a3 b3 c3 d3");
  }, { size: 4, maxWaitMs: 1000 }));

Deno.test("what waits for a batch to fill is handed back by a drain, not begun", () =>
  serving(() => {}, async ({ publish, calls, server, test }) => {
    await publish("a1 b1", 10);
    await server.stop();
    assertEquals(calls, []);
    await using again = await test.serve();
    await again.advance(5_000);
    // What was found pending is done by itself.
    assertEquals(calls, ["a1", "b1"]);
  }, { maxWaitMs: 5_000 }));

Deno.test("a batch that throws is halved until what fails stands alone: it alone is tried again, and given up", () =>
  serving(async (events, ctx, made) => {
    await write(events, ctx, made);
    if (events.some(({ orderId }) => orderId === "f")) throw new Error("no f");
  }, async ({ publish, calls, counted, server }) => {
    await publish("a1 b1 c1 d1 e1 f1 g1 h1");
    assertEquals(calls, [
      "a1 b1 c1 d1 e1 f1 g1 h1",
      ...["a1 b1 c1 d1", "e1 f1 g1 h1"],
      ...["e1 f1", "e1", "f1", "g1 h1"],
    ]);
    assertEquals(await counted(), "a10 b10 c10 d10 e10 g10 h10");
    assertEquals(counters(server).failed, 1);
    await server.advance(60_000);
    // By itself from then on.
    assertEquals(calls.slice(7), ["f1", "f1"]);
    const [letter, ...others] = await server.deadLetters("Works");
    assertEquals([letter?.letter.retryCount, letter?.letter.errorMessage, others.length], [3, "no f", 0]);
    assertEquals(counters(server).handled, 7);
    assertEquals(counters(server).retried, 2);
  }));

Deno.test("what is behind one that fails waits for it, and is handled after it", () => {
  let broken = true;
  return serving((events) => {
    if (broken && events.some(({ orderId, amount }) => orderId === "a" && amount === 2)) {
      throw new Error("no");
    }
  }, async ({ publish, calls, server }) => {
    await publish("a1 b1 a2 b2 a3 b3 a4");
    assertEquals(calls.at(-1), "b3");
    assertEquals(counters(server).handled, 4);
    broken = false;
    await server.advance(1_500);
    assertEquals(calls.slice(-2), ["a2", "a3 a4"]);
    assertEquals(counters(server).handled, 7);
  });
});

Deno.test("ctx.fail takes one out: nothing that was written for it is committed, the others are", () =>
  serving(async (events, ctx, made) => {
    for (const event of events) {
      await write([event], ctx, made);
      if (event.amount === 2) ctx.fail(event, new Error("two"));
      // Of several the first counts.
      if (event.amount === 2) ctx.fail(event, new Error("again"));
    }
  }, async ({ publish, calls, counted, server }) => {
    await publish("a1 b2 c1 b3 d1");
    assertEquals(calls, ["a1 b2 c1 b3 d1", "a1 c1 d1"]);
    assertEquals(await counted(), "a10 c10 d10");
    assertEquals(counters(server).failed, 1);
    await server.advance(60_000);
    assertEquals(calls.slice(2), ["b2", "b2", "b3"]);
    assertEquals(await counted(), "a10 b30 c10 d10");
    assertEquals((await server.deadLetters("Works")).map(({ letter }) => letter.errorMessage), ["two"]);
  }));

Deno.test("ctx.fail carries a decision: dead-lettered at once, declined, postponed", () =>
  serving(async (events, ctx, made) => {
    for (const event of events) {
      if (event.orderId === "b") ctx.fail(event, new DeadLetter("never"));
      if (event.orderId === "c") ctx.fail(event, new Discard("not ours"));
      if (event.orderId === "d") ctx.fail(event, new RetryAfter(10_000));
    }
    await write(events, ctx, made);
  }, async ({ publish, counted, server }) => {
    await publish("a1 b1 c1 d1 e1");
    assertEquals(await counted(), "a10 e10");
    const { deadLettered, declined, postponed, failed } = counters(server);
    assertEquals([deadLettered, declined, postponed, failed], [1, 1, 1, 0]);
  }));

Deno.test("a decision that is thrown is that of the message which stands alone", () =>
  serving(async (events, ctx, made) => {
    if (events.some(({ orderId }) => orderId === "c")) throw new Discard("no c");
    await write(events, ctx, made);
  }, async ({ publish, counted, server }) => {
    await publish("a1 b1 c1 d1");
    assertEquals(await counted(), "a10 b10 d10");
    assertEquals([counters(server).declined, counters(server).failed], [1, 0]);
  }));

Deno.test("a handler that takes some out and throws: they have failed, and the others show whether they do", () =>
  serving((events, ctx) => {
    for (const event of events) {
      if (event.orderId === "b") {
        ctx.fail(event, new Error("b"));
        throw new Error("at b");
      }
    }
  }, async ({ publish, calls, server }) => {
    await publish("a1 b1 c1");
    assertEquals(calls, ["a1 b1 c1", "a1 c1"]);
    assertEquals([counters(server).failed, counters(server).handled], [1, 2]);
  }));

Deno.test("ctx.fail takes the very events of the batch, while its handler runs", () => {
  let late: BatchContext | undefined;
  let given: readonly Placed[] = [];
  return serving((events, ctx) => {
    assertThrows(() => ctx.fail({ orderId: "a", amount: 1 }, new Error("no")), IncorrectUsageError);
    [late, given] = [ctx, events];
  }, async ({ publish, server }) => {
    await publish("a1 b1");
    assertEquals(counters(server).handled, 2);
    const [first] = given;
    assertThrows(() => late?.fail(first ?? {}, new Error("late")), IncorrectUsageError);
  });
});

Deno.test("events that were handled before are left out before the call, and the same one twice is done once", async () => {
  const made = shop();
  const calls: string[] = [];
  made.domain.eventHandler("Works", {
    partOf: made.Order,
    idempotent: true,
    handles: [onBatch(made.OrderPlaced, { size: 10 }, (events) => calls.push(told(events)))],
  });
  await using running = await started(made.domain);
  const { runtime } = running;
  const runner = runnerOf(runtime, "Works");
  const messages: Message[] = [];
  for (const orderId of "abc") {
    messages.push(await published(runtime, made.domain, made.OrderPlaced, { orderId, amount: 1 }));
  }
  const member = (message: Message): BatchMember => {
    const verdict = runner.judge(message);
    assert(verdict.kind === "run");
    return { message, plan: verdict.plan, key: message.metadata.headers.stream, options: {} };
  };
  const [a, b, c] = messages;
  assert(a && b && c);
  const together = (...some: Message[]) => runner.runTogether?.(some.map(member), FREE);
  assertEquals(await handle(runner, b), "handled");
  const kinds = (await together(a, b, a, c))?.map(({ kind }) => kind);
  assertEquals(kinds, ["handled", "duplicate", "held", "handled"]);
  assertEquals(calls, ["b1", "a1 c1"]);
  // Another message under the id of one that was handled: it alone fails, before the call.
  const other: Message = {
    ...a,
    data: { orderId: "a", amount: 2 },
    metadata: { ...a.metadata, envelope: { ...a.metadata.envelope, checksum: "another" } },
  };
  const d = await published(runtime, made.domain, made.OrderPlaced, { orderId: "d", amount: 1 });
  const [conflict, handled] = await together(other, d) ?? [];
  assert(conflict?.kind === "failed" && conflict.error instanceof MessageConflictError);
  assertEquals(handled, { kind: "handled" });
  assertEquals(calls.slice(2), ["d1"]);
});

Deno.test("types in between are handled in the order of their stream", () =>
  withServed(({ domain, Order, OrderPlaced }, calls) => {
    const OrderPaid = domain.event("OrderPaid", { partOf: Order, schema: OrderPlaced.schema });
    domain.eventHandler("Works", {
      partOf: Order,
      handles: [
        onBatch(OrderPlaced, { size: 10 }, (events) => calls.push(told(events))),
        onAny((payload) => calls.push(`any ${told([payload as Placed])}`)),
      ],
    });
    domain.eventHandler("Pays", {
      partOf: Order,
      concurrency: 1,
      handles: [on(OrderPlaced, async (event, ctx) => {
        if (event.amount === 2) await ctx.publish(OrderPaid, event);
      })],
    });
  }, async ({ publish, calls }) => {
    await publish("a1 b1 a2 b2 a3");
    assertEquals(calls[0], "a1 b1 a2 b2 a3");
    assertEquals(calls.slice(1).toSorted(), ["any a2", "any b2"]);
  }));

/** Counts the statements by which memory is asked for rows. */
async function countingLoads(work: () => Promise<void>): Promise<{ one: number; many: number[] }> {
  const { load, loadMany } = MemorySession.prototype;
  const counted = { one: 0, many: new Array<number>() };
  MemorySession.prototype.load = function (...asked) {
    counted.one++;
    return load.apply(this, asked);
  };
  MemorySession.prototype.loadMany = function (table, ids) {
    counted.many.push(ids.length);
    return loadMany.call(this, table, ids);
  };
  try {
    await work();
    return counted;
  } finally {
    MemorySession.prototype.load = load;
    MemorySession.prototype.loadMany = loadMany;
  }
}

const projecting = (
  handle: (event: Placed, ctx: Context, made: Shop, calls: string[]) => unknown,
  check: (served: Served) => Promise<void>,
  batch = 100,
) =>
  withServed((made, calls) => {
    made.domain.projector("Works", {
      projection: made.Counter,
      idempotent: true,
      batch,
      handles: [on(made.OrderPlaced, (event, ctx) => {
        calls.push(told([event]));
        return handle(event, ctx, made, calls);
      })],
    });
  }, check);

const add = async (id: string, amount: number, ctx: Context, { Counter }: Shop) => {
  const row = await ctx.view(Counter).get(id);
  await ctx.view(Counter).put({ id, count: (row?.count ?? 0) + amount });
};

Deno.test("a projector with batch reads the rows of many messages by one statement", async () => {
  await projecting(
    ({ orderId, amount }, ctx, made) => add(orderId, amount, ctx, made),
    async ({ publish, counted, calls }) => {
      const loads = await countingLoads(() => publish("a1 b1 c1 d1 a2 b2 a3"));
      assertEquals(loads, { one: 0, many: [4] });
      assertEquals(calls.join(" "), "a1 b1 c1 d1 a2 b2 a3");
      assertEquals(await counted(), "a6 b3 c1 d1");
    },
  );
});

Deno.test("messages of a batch that want one row have it one after the other", () =>
  projecting(
    ({ amount }, ctx, made) => add("total", amount, ctx, made),
    async ({ publish, counted, calls }) => {
      await publish("a1 b2 c3 d4 a5");
      assertEquals(await counted(), "total15");
      assertEquals(calls.length, 5);
    },
  ));

Deno.test("a message that comes late to a row has the batch done in order", () =>
  projecting(
    async ({ orderId, amount }, ctx, made) => {
      // The first one comes to the row of the second by a way of its own.
      if (orderId === "a") await add("x", 0, ctx, made);
      await add("total", amount, ctx, made);
    },
    async ({ publish, counted, calls }) => {
      await publish("a1 b2 c3");
      assertEquals(await counted(), "total6 x0");
      assertEquals(calls.slice(-3), ["a1", "b2", "c3"]);
    },
  ));

Deno.test("a message of a projector's batch that fails is taken out, and what has seen its rows is done again", () => {
  const errors: string[] = [];
  return projecting(
    async ({ orderId, amount }, ctx, made) => {
      await add("total", amount, ctx, made);
      if (orderId === "b") throw new Error("no b");
      const row = await ctx.view(made.Counter).get(`of ${orderId}`);
      if (row) errors.push(orderId);
      await ctx.view(made.Counter).put({ id: `of ${orderId}`, count: amount });
    },
    async ({ publish, counted, server }) => {
      await publish("a1 b2 c3 b4 d5");
      assertEquals(await counted(), "of a1 of c3 of d5 total9");
      assertEquals([counters(server).failed, counters(server).handled], [1, 3]);
      assertEquals(errors, []);
      await server.advance(60_000);
      assertEquals((await server.deadLetters("Works")).length, 2);
    },
  );
});

Deno.test("messages of a projector's batch write with their own causes, in their order", () => {
  const noted: (readonly [string, boolean])[] = [];
  return withServed(({ domain, Order, OrderPlaced, Counter }) => {
    const Noted = domain.event("Noted", { partOf: Order, schema: OrderPlaced.schema });
    domain.projector("Works", {
      projection: Counter,
      batch: 10,
      handles: [on(OrderPlaced, async (event, ctx) => {
        // The later, the sooner.
        if (event.orderId === "a") await ctx.view(Counter).get("a");
        await ctx.publish(Noted, event);
      })],
    });
    domain.eventHandler("Notes", {
      partOf: Order,
      handles: [on(Noted, (event, ctx) => {
        const { domain } = ctx.message.metadata as { domain: { causation_id: string | null } };
        noted.push([told([event]), domain.causation_id !== null]);
      })],
    });
  }, async ({ publish, server }) => {
    await publish("a1 b2 c3");
    await server.advance(500);
    assertEquals(noted, [["a1", true], ["b2", true], ["c3", true]]);
  });
});

Deno.test("what makes no sense is refused where it is declared", () => {
  const { domain, Order, OrderPlaced, PlaceOrder, Counter } = shop();
  const handle = () => {};
  const refused = (declare: () => unknown, text: string) => {
    const error = assertThrows(declare, ConfigurationError);
    assertEquals(error.code, "CONFIG_BATCH");
    assertStringIncludes(error.message, text);
  };
  for (const size of [0, -1, 1.5, 10_001, NaN]) {
    refused(() => onBatch(OrderPlaced, { size }, handle), "whole number from 1 to 10000");
    refused(
      () => domain.projector("P", { projection: Counter, batch: size, handles: [on(OrderPlaced, handle)] }),
      "The batch of P must be",
    );
  }
  for (const maxWaitMs of [-1, NaN, Infinity, 60_001]) {
    refused(() => onBatch(OrderPlaced, { size: 1, maxWaitMs }, handle), "maxWaitMs");
  }
  refused(() => onBatch(PlaceOrder, { size: 10 }, handle), "is a command");
  const batch = onBatch(OrderPlaced, { size: 10 }, handle);
  assertEquals([batch.type, batch.size, batch.maxWaitMs], [OrderPlaced.typeString, 10, 0]);
  refused(() => domain.commandHandler("C", { partOf: Order, handles: [batch] }), "onBatch");
  refused(
    () => domain.eventHandler("E", { partOf: Order, handles: [batch, on(OrderPlaced, handle)] }),
    "once more",
  );
  refused(() => domain.eventHandler("E", { partOf: Order, handles: [batch, batch] }), "once more");
  refused(
    () => domain.projector("P", { projection: Counter, batch: 10, handles: [batch] }),
    "leave one of them out",
  );
  refused(
    () => domain.eventHandler("E", { partOf: Order, batch: 10, handles: [on(OrderPlaced, handle)] }),
    "use onBatch",
  );
  assert(onBatch(OrderPlaced, { size: 10_000, maxWaitMs: 60_000 }, handle));
});

Deno.test("the harness drives batches, halves what fails, and lists the failures", async () => {
  const made = shop();
  const calls: string[] = [];
  made.domain.eventHandler("Works", {
    partOf: made.Order,
    handles: [onBatch(made.OrderPlaced, { size: 4 }, async (events, ctx) => {
      calls.push(told(events));
      await write(events, ctx, made);
      for (const event of events) if (event.orderId === "b") ctx.fail(event, new Error("b"));
      if (events.some(({ orderId }) => orderId === "f")) throw new Error("f");
    })],
  });
  await using test = await testDomain(made.domain);
  await made.domain.unitOfWork(async (ctx) => {
    for (const orderId of "abcdefg") await ctx.publish(made.OrderPlaced, { orderId, amount: 1 });
  });
  const { failures } = await test.drain();
  assertEquals(failures.map(({ error }) => error.message), ["b", "f"]);
  assertEquals(calls, ["a1 b1 c1 d1", "a1 c1 d1", "e1 f1 g1", "e1 f1", "e1", "f1", "g1"]);
  assertEquals((await test.rows(made.Counter)).map(({ id }) => id), ["a1", "c1", "d1", "e1", "g1"]);
});
