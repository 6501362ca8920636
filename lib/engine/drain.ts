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
 * A second signal goes to the cut of step 3 at once; after that, a further wait ends with it.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep } from "../async/clock.ts";
import { asError } from "../errors.ts";
import type { Service } from "../async/service.ts";

const log = getLogger(["protean", "engine"]);

/** Between the abort of the handlers' signals and giving them up. */
const GRACE_MS = 1000;
/** What a subscription may take to hand its messages back, once its handlers are given up. */
const RELEASE_MS = 2000;
const LAST_PASS_MS = 2000;
const LAST_PASS_AFTER_CUT_MS = 400;
const CLOSE_MS = 2000;

/** What the drain needs of a subscription. */
export interface Cuttable extends Service {
  /** `cut`: handlers that the drain has stopped or given up. */
  readonly counters: { readonly cut: number };
  /** Aborts the signals of the handlers that run. */
  cut(): void;
  /** Gives up those that run on; answers how many. */
  abandon(): number;
}

/** What the drain needs of an outbox processor. */
export interface Flushable extends Service {
  /** Publishes what is due. */
  pass(signal: AbortSignal): Promise<void>;
}

export interface DrainParts {
  readonly subscriptions: readonly Cuttable[];
  readonly processors: readonly Flushable[];
  readonly maintenance: readonly Service[];
  readonly monitor: Service & { beginShutdown(): void };
  readonly listener: Service | undefined;
  readonly close: () => Promise<readonly Error[]>;
  /** Told right before the handlers' signals abort. */
  readonly onCut?: () => void;
  readonly clock: Clock;
  readonly drainTimeoutSeconds: number;
}

/** Runs the whole drain; never rejects. Answers how many handlers were cut. `cutNow` aborts at the second signal. */
export async function drain(parts: DrainParts, cutNow: AbortSignal): Promise<number> {
  const { clock, processors, maintenance, monitor, listener } = parts;
  const began = clock.monotonic();
  monitor.beginShutdown();
  const subscriptions = all(parts.subscriptions, stop);
  // Waited for later: one of them may hang on a backend that does not answer, and that is no handler.
  const stopped = all(maintenance, stop);
  const publishing = new Map(
    processors.map((processor) => [processor, forgiving(processor.name, stop(processor))]),
  );

  const cut = await timed(clock, "handlers_drained", () => drainHandlers(parts, subscriptions, cutNow));
  const bounded = (name: string, ms: number, work: (signal: AbortSignal) => Promise<unknown>) =>
    timed(clock, name, async () => {
      const over = new AbortController();
      if (await within(clock, ms, forgiving(name, work(over.signal)), further(cutNow))) return;
      over.abort();
      log.warn("engine.drain_step_left", { step: name });
    });
  await bounded(
    "outbox_flushed",
    cut > 0 || cutNow.aborted ? LAST_PASS_AFTER_CUT_MS : LAST_PASS_MS,
    (signal) =>
      Promise.all([
        stopped,
        all(processors, async (processor) => {
          await publishing.get(processor);
          await processor.pass(signal);
        }),
      ]),
  );
  await bounded("adapters_closed", CLOSE_MS, () => Promise.all([all([monitor], stop), parts.close()]));
  await bounded("health_listener_closed", CLOSE_MS, () => listener?.stop() ?? Promise.resolve());
  log.info("engine.drained", { duration_ms: Math.round(clock.monotonic() - began), cut });
  return cut;
}

async function drainHandlers(
  { clock, subscriptions, drainTimeoutSeconds, onCut }: DrainParts,
  stopped: Promise<void>,
  cutNow: AbortSignal,
): Promise<number> {
  const before = total(subscriptions);
  if (await within(clock, drainTimeoutSeconds * 1000, stopped, cutNow)) return total(subscriptions) - before;
  onCut?.();
  for (const subscription of subscriptions) subscription.cut();
  if (await within(clock, GRACE_MS, stopped, further(cutNow))) return total(subscriptions) - before;
  const given = subscriptions.reduce((sum, subscription) => sum + subscription.abandon(), 0);
  // A broker that hangs may keep its subscription from ending: the process leaves without it.
  await within(clock, RELEASE_MS, stopped, further(cutNow));
  return Math.max(given, total(subscriptions) - before);
}

function total(subscriptions: readonly Cuttable[]): number {
  return subscriptions.reduce((sum, subscription) => sum + subscription.counters.cut, 0);
}

function stop(service: Service): Promise<void> {
  return service.stop();
}

/** Does `work` on all of them at once; what fails on one is logged and no matter of the others'. Never rejects. */
async function all<S extends Service>(
  services: readonly S[],
  work: (service: S) => Promise<void>,
): Promise<void> {
  await Promise.all(services.map((service) => forgiving(service.name, work(service))));
}

async function forgiving(what: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    log.warn("engine.drain_step_failed", { step: what, error: asError(error).message });
  }
}

/** The second signal where it is still to come. */
function further(cutNow: AbortSignal): AbortSignal | undefined {
  return cutNow.aborted ? undefined : cutNow;
}

/** True when `work`, which never rejects, ended before the time was over or `early` aborted. */
async function within(
  clock: Clock,
  ms: number,
  work: Promise<void>,
  early?: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const abort = () => over.abort();
  early?.addEventListener("abort", abort, { once: true });
  if (early?.aborted) abort();
  let ended = false;
  await Promise.race([work.then(() => ended = true), sleep(clock, ms, over.signal)]);
  over.abort();
  early?.removeEventListener("abort", abort);
  return ended;
}

async function timed<T>(clock: Clock, name: string, work: () => Promise<T>): Promise<T> {
  const began = clock.monotonic();
  const result = await work();
  log.info(`engine.${name}`, { duration_ms: Math.round(clock.monotonic() - began) });
  return result;
}
