/**
 * A server in which a handler hangs, one message is dead, one waits, and nobody maintains dead letters: what its
 * gauges say, whatever the stores are.
 *
 * @module
 */
import { assert } from "@std/assert";
import { Domain, Engine, on, RetryAfter, type Row } from "@protean/server";
import { z } from "zod";
import type { Clock } from "../../lib/async/clock.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";

/** The samples of the page, by name; `tick` lets time pass. */
export async function gaugesOf(
  config: Row,
  { clock, tick }: { readonly clock?: Clock; readonly tick: () => Promise<unknown> },
): Promise<ReadonlyMap<string, readonly number[]>> {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  const release = Promise.withResolvers<void>();
  domain.eventHandler("Shipping", {
    partOf: Order,
    handles: [on(Placed, async ({ id }) => {
      if (id === "hangs") await release.promise;
      if (id === "fails") throw new RangeError("no");
      if (id === "waits") throw new RetryAfter(50_000);
    })],
  });
  const server = {
    ...{ health: { enabled: false }, metrics: { enabled: true } },
    stream_subscription: { max_retries: 1, blocking_timeout_ms: 100 },
  };
  await domain.init({ config: { ...config, server }, ...(clock && { clock }) });
  const runtime = runtimeOf(domain);
  for (const [name, provider] of runtime.providers) {
    await provider.setup("all", runtime.tables.get(name) ?? []);
  }
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  try {
    for (const id of ["fails", "waits", "hangs"]) await domain.publish(Placed, { id });
    let samples = new Map<string, number[]>();
    for (let round = 0; round < 100; round++) {
      await tick();
      samples = samplesOf(await runtime.telemetry?.scrape() ?? "");
      if (isWhole(samples)) return samples;
    }
    assert(false, `Of the gauges there are only ${JSON.stringify([...samples])}`);
  } finally {
    release.resolve();
    stop.abort();
    while (await Promise.race([running.then(() => false), tick().then(() => true)])) { /* It drains. */ }
  }
}

/** What on-call needs, and when it says what is the case (issue 16, 2). */
const EXPECTED: Readonly<Record<string, (values: readonly number[]) => boolean>> = {
  protean_engine_up: ([up]) => up === 1,
  protean_engine_event_loop_delay_seconds: ([delay]) => delay !== undefined && delay >= 0,
  protean_subscription_oldest_pending_age_seconds: ([age]) => age !== undefined && age > 0,
  protean_subscription_lag_seconds: ([age]) => age === 0,
  protean_subscription_consumer_lag: ([lag]) => lag === 0,
  protean_subscription_pending_messages: ([pending]) => pending === 2,
  protean_subscription_in_flight: ([running]) => running === 1,
  protean_subscription_retrying: ([waiting]) => waiting === 1,
  protean_subscription_paused: ([paused]) => paused === 0,
  protean_subscription_last_poll_age_seconds: ([age]) => age !== undefined && age >= 0,
  protean_subscription_dlq_depth: ([depth]) => depth === 1,
  protean_dlq_depth: ([depth]) => depth === 1,
  protean_dlq_oldest_age_seconds: ([age]) => age !== undefined && age >= 0,
  protean_outbox_pending_count: ([rows]) => rows === 0,
  protean_outbox_oldest_age_seconds: ([age]) => age === 0,
  protean_subscription_critical_time_seconds_count: ([count]) => count === undefined || count === 0,
};

function isWhole(samples: ReadonlyMap<string, readonly number[]>): boolean {
  return Object.entries(EXPECTED).every(([name, holds]) => holds(samples.get(name) ?? []));
}

function samplesOf(page: string): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  for (const line of page.split("\n")) {
    const [, name, value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name !== undefined) samples.set(name, [...samples.get(name) ?? [], Number(value)]);
  }
  return samples;
}
