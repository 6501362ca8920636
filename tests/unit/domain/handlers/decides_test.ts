/** What `DeadLetter`, `Discard` and `RetryAfter` leave, in every kind of handler; `onDeadLetter`; `process`. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  DeadLetter,
  type DeadLetterEntry,
  Discard,
  IncorrectUsageError,
  on,
  ProteanError,
  RetryAfter,
} from "@protean/server";
import { FREE, handle, outbox, published, runnerOf, shop, started } from "../fixture.ts";

const data = { orderId: "1", amount: 5 };

const decisions: readonly [string, () => ProteanError][] = [
  ["DEAD_LETTER", () => new DeadLetter("broken")],
  ["DISCARD", () => new Discard("old")],
  ["RETRY_AFTER", () => new RetryAfter(10)],
];

const letter: DeadLetterEntry = {
  id: "",
  dlqStream: "my_domain::order:dlq",
  subscription: "Events on my_domain::order",
  handler: "Events",
  consumerGroup: "my_domain.Events",
  originalId: "1-0",
  messageId: "m",
  type: "MyDomain.OrderPlaced.v1",
  failureReason: "Error: fails",
  errorType: "Error",
  errorMessage: "fails",
  failedAt: new Date(0),
  retryCount: 3,
  replayCount: 0,
  payload: data,
};

for (const [code, decision] of decisions) {
  Deno.test(`nothing commits of a handler that throws ${code}, of whatever kind it is`, async () => {
    const { domain, Order, OrderPlaced, PlaceOrder, Counter } = shop();
    const write = async (id: string, ctx: Parameters<Parameters<typeof on>[1]>[1]) => {
      await ctx.view(Counter).put({ id, count: 1 });
      const order = Order.create({ id, status: "placed", amount: 1 });
      order.raise(OrderPlaced, data);
      await ctx.repository(Order).add(order);
      throw new Error("in the middle", { cause: decision() });
    };
    domain.commandHandler("Commands", {
      partOf: Order,
      handles: [on(PlaceOrder, (_, ctx) => write("c", ctx))],
    });
    domain.eventHandler("Events", {
      partOf: Order,
      idempotent: true,
      handles: [on(OrderPlaced, (_, ctx) => write("e", ctx))],
    });
    domain.projector("Views", {
      projection: Counter,
      handles: [on(OrderPlaced, (_, ctx) => write("p", ctx))],
    });
    await using running = await started(domain);
    const event = await published(running.runtime, domain, OrderPlaced);
    await domain.process(PlaceOrder, data);
    const [sent] = await outbox(running.runtime);
    for (const [name, message] of [["Commands", sent], ["Events", event], ["Views", event]] as const) {
      if (!message) throw new Error("Nothing was sent.");
      // Twice: no mark says that it was handled.
      for (let time = 0; time < 2; time++) {
        await assertRejects(() => handle(runnerOf(running.runtime, name), message), Error, "in the middle");
      }
    }
    assertEquals(await outbox(running.runtime), []);
    const left = await domain.unitOfWork(async (ctx) => [
      await ctx.view(Counter).list(),
      await ctx.repository(Order).find("c"),
      await ctx.repository(Order).find("e"),
    ]);
    assertEquals(left, [[], undefined, undefined]);
  });

  Deno.test(`whoever waits for a command is given its handler's ${code}, and it has no effect`, async () => {
    const { domain, Order, OrderPlaced, PlaceOrder } = shop();
    domain.commandHandler("Commands", {
      partOf: Order,
      handles: [on(PlaceOrder, async (_, ctx) => {
        await ctx.publish(OrderPlaced, data);
        throw decision();
      })],
      onDeadLetter: () => {
        throw new Error("It is not called: nothing is dead-lettered.");
      },
    });
    await using running = await started(domain);
    const error = await assertRejects(
      () => domain.process(PlaceOrder, data, { asynchronous: false, idempotencyKey: "k" }),
      ProteanError,
    );
    assertEquals(error.code, code);
    assertEquals(await outbox(running.runtime), []);
    assertEquals(await running.runtime.eventStore?.read("$all", { limit: 9 }), []);
  });
}

Deno.test("onDeadLetter is a unit of work of its own, which carries on what its message began", async () => {
  const { domain, Order, OrderPlaced, PlaceOrder, Counter } = shop();
  let fails = true;
  domain.eventHandler("Events", {
    partOf: Order,
    handles: [on(OrderPlaced, () => {})],
    onDeadLetter: async ({ retryCount }, ctx) => {
      await ctx.view(Counter).put({ id: ctx.message.id, count: retryCount });
      await ctx.process(PlaceOrder, data);
      if (fails) throw new Error("the pager is away");
    },
  });
  await using running = await started(domain);
  const message = await published(running.runtime, domain, OrderPlaced);
  const hook = runnerOf(running.runtime, "Events").onDeadLetter;
  await assertRejects(async () => await hook?.(letter, message, FREE), Error, "the pager is away");
  assertEquals(await outbox(running.runtime), []);
  fails = false;
  await hook?.(letter, message, FREE);
  const [sent, more] = await outbox(running.runtime);
  assertEquals([sent?.type, more], ["MyDomain.PlaceOrder.v1", undefined]);
  assertEquals(sent?.metadata.domain.causation_id, message.metadata.headers.id);
  const rows = await domain.unitOfWork((ctx) => ctx.view(Counter).list());
  assertEquals(rows, [{ id: message.metadata.headers.id, count: 3 }]);
  // Of one that could not be read there is no message.
  await assertRejects(async () => await hook?.(letter, undefined, FREE), IncorrectUsageError, "No message");
});

Deno.test("onDeadLetter must be a function", () => {
  const { domain, Order, OrderPlaced } = shop();
  const handles = [on(OrderPlaced, () => {})];
  for (const onDeadLetter of ["page", 1, null, {}] as unknown as (() => void)[]) {
    assertThrows(
      () => domain.eventHandler("Events", { partOf: Order, handles, onDeadLetter }),
      IncorrectUsageError,
      "The onDeadLetter of Events must be a function",
    );
  }
});
