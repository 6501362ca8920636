/**
 * The drain, from the stop signal to the closed listener. Its duties, in order (design 7, DRN-1):
 *
 * 1. readiness says 503, liveness stays 200;
 * 2. nothing new is taken;
 * 3. handlers that run get `drain_timeout_seconds`, then their signal aborts, a second later they are given up and their messages
 *    are released for others; acknowledgements already earned are sent either way;
 * 4. a last outbox pass, so that what the handlers committed leaves with them;
 * 5. the adapters close: event store, brokers, caches, providers;
 * 6. the health listener closes last, because only an open listener can say 503.
 *
 * A second signal goes to the cut of step 3 at once.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep } from "../clock.ts";
import { asError } from "../errors.ts";
import type { Service } from "../lifecycle.ts";
import type { OutboxProcessor } from "../outbox/processor.ts";
import type { StreamSubscription } from "../subscription/stream_subscription.ts";

const log = getLogger(["protean", "engine"]);

/** Between the abort of the handlers' signals and giving them up. */
const GRACE_MS = 1000;
/** What a subscription may take to hand its messages back, once its handlers are given up. */
const RELEASE_MS = 2000;
const LAST_PASS_MS = 2000;
const LAST_PASS_AFTER_CUT_MS = 400;
const CLOSE_MS = 2000;

export interface DrainParts {
  readonly subscriptions: readonly StreamSubscription[];
  readonly processors: readonly OutboxProcessor[];
  readonly maintenance: readonly Service[];
  readonly monitor: Service & { beginShutdown(): void };
  readonly listener: Service | undefined;
  readonly close: () => Promise<readonly Error[]>;
  readonly clock: Clock;
  readonly drainTimeoutSeconds: number;
}

/** Runs the whole drain; never rejects. Answers how many handlers were cut. `cutNow` aborts at the second signal. */
export async function drain(parts: DrainParts, cutNow: AbortSignal): Promise<number> {
  const { clock } = parts;
  const began = clock.monotonic();
  parts.monitor.beginShutdown();
  const subscriptions = stopAll(parts.subscriptions);
  // Waited for apart: one of them may hang on a backend that does not answer, and that is no handler.
  const others = stopAll([...parts.processors, ...parts.maintenance]);
  const cut = await step(clock, "handlers_drained", () => drainHandlers(parts, subscriptions, cutNow));
  const wait = cut > 0 ? LAST_PASS_AFTER_CUT_MS : LAST_PASS_MS;
  await step(
    clock,
    "outbox_flushed",
    () =>
      bounded(clock, wait, async (signal) => {
        await others;
        await lastPass(parts.processors, signal);
      }),
  );
  await parts.monitor.stop();
  await step(clock, "adapters_closed", () => bounded(clock, CLOSE_MS, async () => void await parts.close()));
  await step(clock, "health_listener_closed", () => parts.listener?.stop() ?? Promise.resolve());
  log.info("engine.drained", { duration_ms: Math.round(clock.monotonic() - began), cut });
  return cut;
}

async function drainHandlers(
  parts: DrainParts,
  stopping: Promise<unknown>,
  cutNow: AbortSignal,
): Promise<number> {
  const { clock, subscriptions } = parts;
  const before = total(subscriptions);
  const finished = await settledWithin(clock, parts.drainTimeoutSeconds * 1000, stopping, cutNow);
  if (!finished) {
    for (const subscription of subscriptions) subscription.cut();
    if (!await settledWithin(clock, GRACE_MS, stopping)) {
      const given = subscriptions.reduce((sum, subscription) => sum + subscription.abandon(), 0);
      // A broker that hangs keeps its subscription from ending: the process leaves without it.
      if (!await settledWithin(clock, RELEASE_MS, stopping)) return given;
    }
  }
  return total(subscriptions) - before;
}

async function stopAll(services: readonly Service[]): Promise<void> {
  await Promise.all(services.map((service) => service.stop()));
}

function total(subscriptions: readonly StreamSubscription[]): number {
  return subscriptions.reduce((sum, subscription) => sum + subscription.counters.cut, 0);
}

/** True when `work` settled before the time was over or `early` aborted. */
async function settledWithin(
  clock: Clock,
  ms: number,
  work: Promise<unknown>,
  early?: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const abort = () => over.abort();
  early?.addEventListener("abort", abort, { once: true });
  if (early?.aborted) abort();
  let settled = false;
  await Promise.race([work.then(() => settled = true), sleep(clock, ms, over.signal)]);
  over.abort();
  early?.removeEventListener("abort", abort);
  return settled;
}

/** Runs `work` for at most `ms`, then lets it be. Never rejects. */
async function bounded(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const done = work(over.signal).catch((error) =>
    log.warn("engine.drain_step_failed", { error: asError(error).message })
  );
  await settledWithin(clock, ms, done);
  over.abort();
}

async function lastPass(processors: readonly OutboxProcessor[], signal: AbortSignal): Promise<void> {
  await Promise.all(processors.map((processor) => processor.pass(signal)));
}

async function step<T>(clock: Clock, name: string, work: () => Promise<T>): Promise<T> {
  const began = clock.monotonic();
  const result = await work();
  log.info(`engine.${name}`, { duration_ms: Math.round(clock.monotonic() - began) });
  return result;
}
