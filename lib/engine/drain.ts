/**
 * The drain, from the stop signal to the closed listener. Its duties, in order (design 7, DRN-1):
 *
 * 1. readiness says 503, liveness stays 200;
 * 2. intake and maintenance take nothing new; publishing goes on, so that what handlers commit meanwhile
 *    leaves at once;
 * 3. handlers that run get `drain_timeout_seconds`, then their signal aborts, a second later they are given
 *    up and their messages are released for others; acknowledgements already earned are sent either way;
 * 4. publishing stops, which publishes what is due; when that takes too long no further batch is begun, and
 *    the one under way is waited for, because a batch that is published and not recorded is published twice;
 * 5. the adapters close: event store, brokers, caches, providers;
 * 6. the health listener closes last, because only an open listener can say 503.
 *
 * A second signal goes to the cut of step 3 at once; after that, a further wait ends with it.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep } from "../async/clock.ts";
import type { EngineService, Service, ServiceStage } from "../async/service.ts";
import { asError } from "../errors.ts";

const log = getLogger(["protean", "engine"]);

/** Between the abort of the handlers' signals and giving them up. */
const GRACE_MS = 1000;
/** What a subscription may take to hand its messages back, once its handlers are given up. */
const RELEASE_MS = 2000;
const FLUSH_MS = 2000;
const FLUSH_AFTER_CUT_MS = 400;
/** What the batch under way may take once no further one is begun. */
const LAST_BATCH_MS = 500;
const CLOSE_MS = 2000;

export interface DrainParts {
  readonly services: readonly EngineService[];
  readonly monitor: Service & { beginShutdown(): void };
  readonly listener: Service & { changed?(): void } | undefined;
  readonly close: () => Promise<readonly Error[]>;
  /** Exports the last values (TEL-2); absent where there is no telemetry. */
  readonly closeTelemetry?: () => Promise<void>;
  /** Told right before the handlers' signals abort. */
  readonly onCut?: () => void;
  readonly clock: Clock;
  readonly drainTimeoutSeconds: number;
}

/**
 * Runs the whole drain; never rejects. Returns how many messages will be delivered again: handlers that were
 * cut, and what the broker would not hear of (D20). `cutNow` aborts at the second signal.
 */
export async function drain(parts: DrainParts, cutNow: AbortSignal): Promise<number> {
  const { clock, monitor, listener } = parts;
  const of = (stage: ServiceStage) => parts.services.filter((service) => service.stage === stage);
  const began = clock.monotonic();
  monitor.beginShutdown();
  listener?.changed?.();
  const intake = of("intake");
  const before = LEFT.map((figure) => total(intake, figure));
  const drained = all(intake, stop);
  // Waited for later: one of them may hang on a backend that does not answer, and that is no handler.
  const maintained = all(of("maintenance"), stop);

  const cut = await timed(clock, "handlers_drained", () => drainHandlers(parts, intake, drained, cutNow));
  await timed(clock, "outbox_flushed", async () => {
    const publishing = of("publishing");
    const flushed = all(publishing, stop);
    const ms = cut > 0 || cutNow.aborted ? FLUSH_AFTER_CUT_MS : FLUSH_MS;
    if (await within(clock, ms, Promise.all([maintained, flushed]), further(cutNow))) return;
    for (const service of publishing) service.cut?.();
    log.warn("engine.drain_step_left", { step: "outbox_flushed" });
    await within(clock, LAST_BATCH_MS, flushed);
  });
  const bounded = (name: string, work: () => Promise<unknown>, ms = CLOSE_MS) =>
    timed(clock, name, async () => {
      if (await within(clock, ms, forgiving(name, work()), further(cutNow))) return;
      log.warn("engine.drain_step_left", { step: name });
    });
  const { closeTelemetry } = parts;
  const lastExport = cut > 0 || cutNow.aborted ? FLUSH_AFTER_CUT_MS : FLUSH_MS;
  if (closeTelemetry) await bounded("telemetry_flushed", closeTelemetry, lastExport);
  await bounded("adapters_closed", () => Promise.all([all([monitor], stop), parts.close()]));
  await bounded("health_listener_closed", () => listener?.stop() ?? Promise.resolve());
  const [unacknowledged = 0, unreleased = 0] = LEFT.map((figure, at) =>
    total(intake, figure) - (before[at] ?? 0)
  );
  log.info("engine.drained", {
    ...{ duration_ms: Math.round(clock.monotonic() - began), cut },
    ...(unacknowledged + unreleased > 0 && { unacknowledged, unreleased }),
  });
  return cut + unacknowledged + unreleased;
}

/** What a subscription counts that could not tell its broker what became of its messages. */
const LEFT = ["unacknowledged", "unreleased"] as const;

async function drainHandlers(
  { clock, drainTimeoutSeconds, onCut }: DrainParts,
  intake: readonly EngineService[],
  drained: Promise<void>,
  cutNow: AbortSignal,
): Promise<number> {
  const before = total(intake, "cut");
  if (await within(clock, drainTimeoutSeconds * 1000, drained, cutNow)) return total(intake, "cut") - before;
  onCut?.();
  for (const service of intake) service.cut?.();
  if (await within(clock, GRACE_MS, drained, further(cutNow))) return total(intake, "cut") - before;
  const given = intake.reduce((sum, service) => sum + (service.abandon?.() ?? 0), 0);
  // A broker that hangs may keep its subscription from ending: the process leaves without it.
  await within(clock, RELEASE_MS, drained, further(cutNow));
  return Math.max(given, total(intake, "cut") - before);
}

function total(intake: readonly EngineService[], figure: string): number {
  return intake.reduce((sum, service) => sum + (service.status?.().counters[figure] ?? 0), 0);
}

function stop(service: Service): Promise<void> {
  return service.stop();
}

/**
 * Does `work` on all of them at once; what fails on one is logged and no matter of the others'. Never
 * rejects.
 */
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
  work: Promise<unknown>,
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
