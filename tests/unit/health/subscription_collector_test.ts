import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { SubscriptionCollector } from "../../../lib/health/subscription_collector.ts";
import type { SubscriptionRow } from "../../../lib/health/types.ts";

const ROW: SubscriptionRow = {
  name: "my_domain.OrderEventHandler",
  handler_name: "OrderEventHandler",
  subscription_type: "stream",
  stream_category: "my_domain::order",
  lag: 0,
  pending: 0,
  status: "ok",
  dlq_depth: 0,
  lag_seconds: null,
};
const SIGNAL = new AbortController().signal;

function setUp(collect: (signal: AbortSignal) => Promise<readonly SubscriptionRow[]>) {
  const clock = new FakeClock();
  return { clock, collector: new SubscriptionCollector({ total: () => 4, collect }, clock) };
}

Deno.test("the block is pending while the first collection hangs (S29)", async () => {
  const { clock, collector } = setUp(() => new Promise(() => {}));
  const abort = new AbortController();
  const refreshing = collector.refresh(abort.signal);
  assertEquals(collector.block, { total: 4, collection_pending: true, details: [] });
  abort.abort();
  await refreshing;
  assertEquals(clock.pending, 0);
});

Deno.test("the block says collection_error after a collection threw (S29)", async () => {
  const { collector } = setUp(() => Promise.reject(new Error("NOAUTH")));
  await collector.refresh(SIGNAL);
  assertEquals(collector.block, { total: 4, collection_error: true, details: [] });
});

Deno.test("rows grow stale when they are not refreshed (S29)", async () => {
  const { clock, collector } = setUp(() => Promise.resolve([ROW]));
  await collector.refresh(SIGNAL);
  const fresh = { total: 4, details: [ROW] };
  for (
    const [at, block] of [
      [0, fresh],
      [5_000, fresh],
      [6_000, fresh],
      [6_100, { ...fresh, stale: true, age_seconds: 6.1 }],
      [45_000, { ...fresh, stale: true, age_seconds: 45 }],
    ] as const
  ) {
    await clock.advance(at - (clock.now() - Date.UTC(2026, 0, 1)));
    assertEquals(collector.block, block);
  }
});

Deno.test("a hanging collection is given up so that the next may begin, and the old rows stay", async () => {
  let hangs = false;
  const { clock, collector } = setUp((signal) =>
    hangs
      ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("cut"))))
      : Promise.resolve([ROW])
  );
  await collector.refresh(SIGNAL);
  hangs = true;
  const refreshing = collector.refresh(SIGNAL);
  await clock.advance(30_000);
  await refreshing;
  assertEquals(collector.block, { total: 4, stale: true, age_seconds: 30, details: [ROW] });
  hangs = false;
  await collector.refresh(SIGNAL);
  assertEquals(collector.block, { total: 4, details: [ROW] });
});
