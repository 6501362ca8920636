/**
 * What this worker's subscriptions do, added to the rollups once a minute (operations 8). It costs a
 * message a few additions: beyond a thousand in a minute one in 32 is timed for all of them. A broker that
 * refuses it costs a warning once: the figures of that minute are short by this worker's then, for what
 * may have been added is not added again. Nor is the minute of a worker that is killed.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import {
  type Rollup,
  ROLLUP_BOUNDS,
  ROLLUP_BUCKETS,
  ROLLUP_FIGURES,
  type RollupFigure,
  rollupFigures,
  type Rollups,
} from "../adapters/ports.ts";
import { deadline } from "../async/abort.ts";
import type { Random } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { DeliveryEvent, DeliveryObserver } from "../domain/observer.ts";
import { asError } from "../errors.ts";

const log = getLogger(["protean", "engine"]);

const MINUTE_MS = 60_000;
/** A minute that is over is told within so much, so that replicas do not all write at once. */
const WITHIN_MS = 20_000;
/** How long a broker that hangs is waited for. */
const MOST_MS = 10_000;
/** At the end. */
const LAST_MS = 500;

/** So many runs in a minute are timed, and then every 32nd, which stands for 32. */
const TIMED = 1_000;
const EVERY = 32;

const FIGURES: Partial<Record<DeliveryEvent, RollupFigure>> = {
  handled: "handled",
  failed: "failed",
  retried: "retried",
  deadLettered: "dead",
};

/** What a subscription has done since it was last asked. */
class Tally implements DeliveryObserver {
  #figures = noFigures();
  #buckets = noBuckets();
  #touched = false;
  #runs = 0;
  #weight = 1;

  happened(event: DeliveryEvent, count: number): void {
    const figure = FIGURES[event];
    if (figure === undefined) return;
    this.#figures[figure] += count;
    this.#touched = true;
  }

  sampled(): boolean {
    if (++this.#runs <= TIMED) return true;
    this.#weight = EVERY;
    return this.#runs % EVERY === 0;
  }

  ran(ms: number, error?: Error): void {
    // Those that failed are all told.
    this.#figures.duration_sum_ms += error ? ms : ms * this.#weight;
    if (ms > this.#figures.duration_max_ms) this.#figures.duration_max_ms = ms;
    this.#touched = true;
  }

  settled(ageMs: number): void {
    const age = Math.max(0, ageMs);
    this.#figures.critical_sum_ms += age * this.#weight;
    if (age > this.#figures.critical_max_ms) this.#figures.critical_max_ms = age;
    let bucket = 0;
    while (bucket < ROLLUP_BOUNDS.length && age > (ROLLUP_BOUNDS[bucket] ?? 0) * 1000) bucket++;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + this.#weight;
    this.#touched = true;
  }

  /** Undefined: nothing. Begins anew. */
  take(): Pick<Rollup, "figures" | "buckets"> | undefined {
    if (!this.#touched) return undefined;
    const figures = this.#figures;
    for (const figure of ROLLUP_FIGURES) figures[figure] = Math.round(figures[figure]);
    const taken = { figures, buckets: this.#buckets };
    this.#figures = noFigures();
    this.#buckets = noBuckets();
    this.#touched = false;
    this.#runs = 0;
    this.#weight = 1;
    return taken;
  }
}

const noFigures = () => rollupFigures(() => 0);
const noBuckets = () => ROLLUP_BUCKETS.map(() => 0);

export class RollupService extends BackgroundService implements EngineService {
  /** Handlers that end during the drain are in it. */
  readonly stage = "publishing";
  readonly name = "rollups";
  readonly #rollups: Rollups;
  readonly #clock: Clock;
  readonly #tallies = new Map<string, Tally>();
  readonly #random: Random;
  #minute: number;
  /** Of minutes that are over and not told yet: one or two of each subscription. */
  #over: Rollup[] = [];
  #refused = false;

  constructor(rollups: Rollups, clock: Clock, random: Random = Math.random) {
    super();
    this.#random = random;
    this.#rollups = rollups;
    this.#clock = clock;
    this.#minute = minuteOf(clock);
  }

  /** Who is to be told of a subscription. A handler of several categories may be one under one name. */
  observer(subscription: string): DeliveryObserver {
    const tally = this.#tallies.get(subscription) ?? new Tally();
    this.#tallies.set(subscription, tally);
    return tally;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#clock, MINUTE_MS - this.#clock.now() % MINUTE_MS, signal);
      if (signal.aborted) return;
      this.#take();
      await sleep(this.#clock, this.#random() * WITHIN_MS, signal);
      if (!signal.aborted) await this.#flush(MOST_MS, signal);
    }
  }

  protected override async end(): Promise<void> {
    this.#take();
    await this.#flush(LAST_MS);
  }

  /** The minute is over. */
  #take(): void {
    const minute = this.#minute;
    this.#minute = minuteOf(this.#clock);
    for (const [subscription, tally] of this.#tallies) {
      const taken = tally.take();
      if (taken) this.#over.push({ subscription, minute, ...taken });
    }
  }

  /** Never rejects. */
  async #flush(ms: number, signal?: AbortSignal): Promise<void> {
    const rollups = this.#over;
    this.#over = [];
    if (rollups.length === 0) return;
    try {
      await deadline(() => this.#rollups.add(rollups), ms, this.#clock, signal);
      this.#refused = false;
    } catch (error) {
      if (signal?.aborted || this.#refused) return;
      this.#refused = true;
      log.warn("worker.rollups_not_kept", { error: asError(error).message });
    }
  }
}

function minuteOf(clock: Clock): number {
  return Math.floor(clock.now() / MINUTE_MS);
}

/** Both are told; either may be absent. */
export function bothTold(
  one: DeliveryObserver | undefined,
  other: DeliveryObserver | undefined,
): DeliveryObserver | undefined {
  if (!one || !other) return one ?? other;
  const { declined, breaker, expired } = one;
  // All are told to the first; of the same run both times or neither to the other.
  let isSampled = true;
  return {
    happened: (event, count) => {
      one.happened(event, count);
      other.happened(event, count);
    },
    ran: (ms, error) => {
      one.ran?.(ms, error);
      isSampled = error !== undefined || other.sampled?.() !== false;
      if (isSampled) other.ran?.(ms, error);
    },
    settled: (ageMs) => {
      one.settled?.(ageMs);
      if (isSampled) other.settled?.(ageMs);
    },
    ...(declined && { declined: (reason) => declined.call(one, reason) }),
    ...(breaker && { breaker: (state, failures) => breaker.call(one, state, failures) }),
    ...(expired && { expired: (type) => expired.call(one, type) }),
  };
}
