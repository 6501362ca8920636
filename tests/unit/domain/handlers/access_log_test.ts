/** One wide event for each handled message, and slow runs (wire 8.3; issue 16, 5). */
import { assertEquals, assertRejects } from "@std/assert";
import { type LogRecord } from "@logtape/logtape";
import { on, onBatch } from "@protean/server";
import { logged } from "../../../support/logged.ts";
import { FREE, inMemory, published, runnerOf, type Shop, shop, started } from "../fixture.ts";

type Started = Awaited<ReturnType<typeof started>>;

/** A shop whose command handler takes `ms` and then does its work, or fails. */
function commands({ domain, Order, OrderPlaced, PlaceOrder }: Shop, running: () => Started) {
  domain.commandHandler("Orders", {
    partOf: Order,
    handles: [on(PlaceOrder, async ({ orderId, amount }, ctx) => {
      if (amount > 1) await running().clock.advance(amount);
      if (amount < 0) throw new RangeError(`card-4111 refused`);
      const order = Order.create({ id: orderId, status: "placed", amount });
      order.raise(OrderPlaced, { orderId, amount });
      await ctx.repository(Order).add(order);
    })],
  });
}

const accessed = (records: readonly LogRecord[]) =>
  records.filter(({ category }) => category.join(".") === "protean.access");

async function run(
  amounts: readonly number[],
  level: "debug" | "info",
  logging: Record<string, unknown> = {},
): Promise<LogRecord[]> {
  const own = shop();
  const open: Started[] = [];
  commands(own, () => {
    const [it] = open;
    if (!it) throw new Error("The domain is not started.");
    return it;
  });
  await using it = await started(own.domain, { config: inMemory({ logging }) });
  open.push(it);
  return accessed(
    await logged(async () => {
      for (const [index, amount] of amounts.entries()) {
        const sent = own.domain.process(own.PlaceOrder, { orderId: `o-${index}`, amount }, {
          asynchronous: false,
        });
        if (amount < 0) await assertRejects(() => sent);
        else await sent;
      }
    }, level),
  );
}

Deno.test("a message that was handled is one wide event at debug", async () => {
  const [record, ...more] = await run([1], "debug");
  assertEquals([record?.level, record?.rawMessage, more.length], ["debug", "access.handler_completed", 0]);
  const { message_id, correlation_id, ...facts } = record?.properties ?? {};
  assertEquals([typeof message_id, typeof correlation_id], ["string", "string"]);
  assertEquals(facts, {
    kind: "command",
    message_type: "MyDomain.PlaceOrder.v1",
    stream: "my_domain::order:command-o-0",
    aggregate: "order",
    aggregate_id: "o-0",
    handler: "Orders",
    duration_ms: 0,
    status: "ok",
    uow_outcome: "committed",
    events_raised: ["MyDomain.OrderPlaced.v1"],
    events_raised_count: 1,
    repo_operations: { loads: 0, saves: 1 },
  });
});

Deno.test("above debug nothing is told of a run that is neither slow nor anything else", async () => {
  assertEquals(await run([1, -1, 500], "info"), []);
});

Deno.test("a slow run is told at warning, without the error's text; 0 turns that off", async () => {
  const [slow, ...more] = await run([501, 1], "info");
  assertEquals(more, []);
  assertEquals([slow?.level, slow?.rawMessage], ["warning", "access.handler_completed"]);
  const { status, duration_ms, handler, kind, repo_operations } = slow?.properties ?? {};
  assertEquals([status, duration_ms, handler, kind, repo_operations], [
    "slow",
    501,
    "Orders",
    "command",
    undefined,
  ]);
  assertEquals((await run([20], "info", { slow_handler_threshold_ms: 10 })).length, 1);
  assertEquals(await run([100_000], "info", { slow_handler_threshold_ms: 0 }), []);
});

Deno.test("a run that failed is told at debug, with the beginning of its error", async () => {
  const [failed] = await run([-1], "debug");
  const { status, uow_outcome, error_type, error_message, events_raised_count } = failed?.properties ?? {};
  assertEquals([failed?.level, failed?.rawMessage, status], ["debug", "access.handler_failed", "failed"]);
  assertEquals([uow_outcome, error_type, error_message, events_raised_count], [
    "rolled_back",
    "RangeError",
    "card-4111 refused",
    0,
  ]);
});

for (
  const [sampling, expected] of [
    [{ enabled: true, default_rate: 0 }, ["failed", "slow"]],
    [{ enabled: true, default_rate: 0, always_keep_errors: false, always_keep_slow: false }, []],
    [{ enabled: true, default_rate: 1, always_keep_errors: false }, ["failed", "ok", "slow"]],
    [{ enabled: true, default_rate: 0, critical_streams: ["my_domain::order:command"] }, [
      "failed",
      "ok",
      "slow",
    ]],
    [{ enabled: false, default_rate: 0 }, ["failed", "ok", "slow"]],
  ] as const
) {
  Deno.test(`of ok, failed and slow [logging.sampling] ${JSON.stringify(sampling)} keeps ${expected}`, async () => {
    const records = await run([1, -1, 600], "debug", { sampling });
    assertEquals(records.map(({ properties }) => properties["status"]).toSorted(), [...expected]);
  });
}

Deno.test("messages handled together are one wide event each, with their number", async () => {
  const own = shop();
  const { domain, OrderPlaced } = own;
  domain.eventHandler("Counting", {
    partOf: own.Order,
    handles: [onBatch(OrderPlaced, { size: 10 }, () => {})],
  });
  await using it = await started(domain);
  const runner = runnerOf(it.runtime, "Counting");
  const messages = [
    await published(it.runtime, domain, OrderPlaced),
    await published(it.runtime, domain, OrderPlaced),
  ];
  const records = accessed(
    await logged(async () => {
      const members = messages.map((message, index) => {
        const verdict = runner.judge(message);
        if (verdict.kind !== "run") throw new Error(`The verdict is ${verdict.kind}.`);
        return { message, plan: verdict.plan, key: String(index), options: FREE };
      });
      await runner.runTogether?.(members, FREE);
    }, "debug"),
  );
  assertEquals(
    records.map(({ properties: { kind, batch, message_id } }) => [kind, batch, message_id]),
    messages.map(({ metadata }) => ["event", 2, metadata.headers.id]),
  );
});
