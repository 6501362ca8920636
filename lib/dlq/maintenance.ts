/**
 * Keeps the dead-letter queues of one broker under control (guide "Keep the DLQ under control"): trims them
 * by age, measures them, and alerts where one has reached its threshold. Of all processes on the broker one
 * does it at a time, so that there is one alert per queue and cycle (DLQ-6).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, DeadLetters, Lock } from "../adapters/ports.ts";
import { joined } from "../async/abort.ts";
import type { Random } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService, type ServiceStatus } from "../async/service.ts";
import type { DlqAlert } from "../domain/dlq_alert.ts";
import type { DeadLetterEvent, Observer } from "../domain/observer.ts";
import { NotSupportedError } from "../errors.ts";
import { logLine } from "../message/describe_error.ts";
import type { Alerter, Receiver } from "./alerter.ts";
import { Census } from "./census.ts";
import { largestLetter, summarizeDeadLetter } from "../message/dead_letter.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { discardedStream } from "../message/names.ts";
import { HOUR_MS, QueueTrimmer, trimOlder } from "./trimming.ts";
import { partiesOf, type Party, type WatchedQueue } from "./watched_queue.ts";

const log = getLogger(["protean", "dlq"]);

/** The first cycle begins within so much of the start, so that replicas do not all ask at once. */
const FIRST_WITHIN_MS = 2_000;
/** A share of the interval by which cycles differ. */
const JITTER = 0.1;
/** Hours for which discarded letters are kept, unless somebody says otherwise. */
const DISCARD_KEEP_HOURS = 168;
/** The newest letters that are looked at for what they failed of, and the kinds that are told. */
const SAMPLE = 200;
const SAMPLE_BYTES = 4 * 1024 * 1024;
const TOP_ERRORS = 5;
/** Letters of a queue, written by others, that one cycle counts. */
const COUNTED_AT_ONCE = 250_000;
/** More than clocks of machines that are kept in time differ by. */
const SKEW_MS = 60_000;

export interface DlqMaintenanceOptions {
  readonly broker: BaseBroker;
  /** One of each stream. */
  readonly queues: readonly WatchedQueue[];
  /** What counts for handlers that have no threshold of their own. */
  readonly alertThreshold: number;
  readonly alertOn: "cycle" | "change";
  readonly intervalSeconds: number;
  /** Hours for which discarded letters can be restored. @default 168 */
  readonly discardKeepHours?: number;
  /** Called once, when the maintenance begins; it does not reject. */
  readonly alerter: () => Promise<Alerter>;
  /** Of the domain's subscriptions: no letter is larger than what comes of that. @default 8 MiB */
  readonly maxReceivedBytes?: number;
  readonly clock: Clock;
  readonly random?: Random;
  readonly observer?: Observer;
}

/** What a cycle found in a queue, for gauges. */
export interface QueueFigures {
  readonly depth: number;
  /** Epoch ms of the oldest letter on the broker's clock. */
  readonly oldest: number | undefined;
  /** How old that was then, by the broker's clock. */
  readonly oldestAgeMs: number | undefined;
}

/** One queue, and what is remembered of it between cycles. */
interface Watched {
  readonly queue: WatchedQueue;
  readonly parties: readonly Party[];
  readonly trimmer: QueueTrimmer;
  readonly census: Census;
  readonly happened: (event: DeadLetterEvent, count: number) => void;
  firing: boolean;
  /** Those who do not know of the last change yet. */
  untold: "everybody" | readonly Receiver[];
}

/** A party that has reached its threshold. */
interface Breach {
  readonly party: Party;
  readonly depth: number;
}

export class DlqMaintenance extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name: string;
  readonly #options: DlqMaintenanceOptions;
  readonly #watched: readonly Watched[];
  readonly #figures = new Map<string, QueueFigures>();
  readonly #counters = { trimmed: 0, alerts: 0 };
  #alerter: Alerter | undefined;
  #lock: Lock | undefined;
  #failing = false;
  #skewed = false;

  constructor(options: DlqMaintenanceOptions) {
    super();
    const { broker, queues, alertThreshold, clock, observer, maxReceivedBytes = MAX_MESSAGE_BYTES } = options;
    const largest = largestLetter(maxReceivedBytes);
    this.name = `dlq-maintenance-${broker.name}`;
    this.#options = options;
    this.#watched = queues.map((queue) => {
      const observed = observer?.deadLetters?.(queue.stream);
      return {
        queue,
        parties: partiesOf(queue, alertThreshold),
        trimmer: new QueueTrimmer(broker.deadLetters, queue, largest),
        census: new Census(broker.deadLetters, queue, largest, clock),
        happened: (event, count) => {
          this.#counters[event] += count;
          observed?.happened(event, count);
        },
        firing: false,
        untold: [],
      };
    });
  }

  /** By stream, as the last cycle here found them; empty while another process does the work. */
  get figures(): ReadonlyMap<string, QueueFigures> {
    return this.#figures;
  }

  status(): ServiceStatus {
    const counters = { ...this.#counters, alertsFailed: this.#alerter?.failures ?? 0 };
    return { kind: "dlq_maintenance", name: this.name, unfinished: 0, counters };
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalSeconds, random = Math.random } = this.#options;
    // That it cannot tell anybody is said at the start, and not when there is something to tell.
    await this.#loaded();
    await sleep(clock, random() * FIRST_WITHIN_MS, signal);
    while (!signal.aborted) {
      await this.#turn(signal);
      await sleep(clock, intervalSeconds * 1000 * (1 + (random() - 0.5) * JITTER), signal);
    }
  }

  protected override async end(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.[Symbol.asyncDispose]();
  }

  /** One cycle, if it is this process that does it. Never rejects; what went wrong is told once. */
  async #turn(signal: AbortSignal): Promise<void> {
    try {
      const held = await this.#held(signal);
      if (held === undefined) return void this.#figures.clear();
      using either = joined(signal, held === "alone" ? undefined : held.signal);
      await this.cycle(either.signal);
      if (this.#failing) log.info("dlq_maintenance.recovered", { broker: this.#options.broker.name });
      this.#failing = false;
    } catch (error) {
      if (signal.aborted) return;
      this.#tellFailure(error);
    }
  }

  #tellFailure(error: unknown): void {
    const facts = { broker: this.#options.broker.name, error: logLine(error) };
    if (this.#failing) log.debug("dlq_maintenance.failed", facts);
    else log.warn("dlq_maintenance.failed", facts);
    this.#failing = true;
  }

  /** The lock, kept from cycle to cycle: whoever has it alerts. A broker without locks has one process. */
  async #held(signal: AbortSignal): Promise<Lock | "alone" | undefined> {
    if (this.#lock?.signal.aborted) this.#lock = undefined;
    try {
      return this.#lock ??= await this.#options.broker.lock("dlq-maintenance", { signal });
    } catch (error) {
      if (error instanceof NotSupportedError) return "alone";
      throw error;
    }
  }

  /**
   * Looks after every queue once, until `signal` aborts. Rejects with the first failure after all queues have
   * had their turn.
   */
  async cycle(signal: AbortSignal): Promise<void> {
    const { broker } = this.#options;
    const now = await broker.time();
    this.#compare(now);
    const failures: unknown[] = [];
    for (const watched of this.#watched) {
      if (signal.aborted) return;
      await this.#lookAfter(watched, now, signal).catch((error) => void failures.push(error));
    }
    // Behind everything else: of a long queue that nobody has counted yet, this takes a while.
    for (const { queue: { stream } } of this.#watched) {
      if (signal.aborted) return;
      const counting = broker.deadLetters.failures?.countOn(stream, COUNTED_AT_ONCE, signal);
      await counting?.catch((error) => void failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async #lookAfter(watched: Watched, now: number, signal: AbortSignal): Promise<void> {
    const { queue: { stream }, trimmer } = watched;
    const { deadLetters } = this.#options.broker;
    const trimmed = await trimmer.trim(now, signal);
    if (trimmed > 0) {
      watched.happened("trimmed", trimmed);
      log.info("dlq_maintenance.trimmed", { dlq_stream: stream, trimmed });
    }
    await this.#forgetDiscarded(stream, now, signal);
    if (signal.aborted) return;
    const [depth, oldest] = await Promise.all([deadLetters.depth(stream), deadLetters.oldest(stream)]);
    const oldestAgeMs = oldest === undefined ? undefined : Math.max(0, now - oldest);
    this.#figures.set(stream, { depth, oldest, oldestAgeMs });
    const breaches = await this.#breaches(watched, depth, signal);
    if (!signal.aborted) await this.#judge(watched, breaches, { depth, oldest }, signal);
  }

  /** Their ids were given when they were discarded. */
  async #forgetDiscarded(dlqStream: string, now: number, signal: AbortSignal): Promise<void> {
    const { broker: { deadLetters }, discardKeepHours = DISCARD_KEEP_HOURS } = this.#options;
    const stream = discardedStream(dlqStream);
    const forgotten = await trimOlder(deadLetters, stream, now - discardKeepHours * HOUR_MS, signal);
    if (forgotten > 0) log.info("dlq_maintenance.discarded_forgotten", { dlq_stream: stream, forgotten });
  }

  async #breaches({ parties, census }: Watched, depth: number, signal: AbortSignal): Promise<Breach[]> {
    const breaches: Breach[] = [];
    for (const party of parties) {
      const [rule] = party.rules;
      const own = party.whole || !rule ? depth : await census.count(rule, depth, signal);
      if (own >= party.threshold) breaches.push({ party, depth: own });
    }
    return breaches.sort((a, b) => b.depth / b.party.threshold - a.depth / a.party.threshold);
  }

  async #judge(
    watched: Watched,
    breaches: readonly Breach[],
    figures: Pick<QueueFigures, "depth" | "oldest">,
    signal: AbortSignal,
  ): Promise<void> {
    const { queue, parties } = watched;
    const [worst] = breaches;
    const changed = watched.firing !== (worst !== undefined);
    watched.firing = worst !== undefined;
    const onChange = this.#options.alertOn === "change";
    if (changed || worst && !onChange) watched.untold = "everybody";
    if (watched.untold.length === 0) return;
    if (worst) {
      const handlers = breaches.flatMap(({ party }) => party.rules.map(({ handler }) => handler));
      const { depth, party: { threshold } } = worst;
      if (changed || !onChange) {
        log.warn("dlq_maintenance.threshold_exceeded", { dlq_stream: queue.stream, depth, threshold });
        watched.happened("alerts", 1);
      }
      await this.#alert(watched, { depth, threshold, handlers, state: "firing" }, figures, signal);
    } else if (onChange) {
      const threshold = Math.min(...parties.map((party) => party.threshold));
      const handlers = parties.flatMap(({ rules }) => rules.map(({ handler }) => handler));
      const { depth } = figures;
      if (changed) log.info("dlq_maintenance.resolved", { dlq_stream: queue.stream, depth, threshold });
      await this.#alert(watched, { depth, threshold, handlers, state: "resolved" }, figures, signal);
    }
  }

  /** Tells whoever does not know yet, and remembers who could not be told. */
  async #alert(
    watched: Watched,
    { depth, threshold, handlers, state }: Pick<DlqAlert, "depth" | "threshold" | "handlers" | "state">,
    { oldest }: Pick<QueueFigures, "oldest">,
    signal: AbortSignal,
  ): Promise<void> {
    const { queue: { stream }, untold } = watched;
    const alert: DlqAlert = {
      ...{ dlqStream: stream, depth, threshold, handlers: [...new Set(handlers)], state },
      oldest: oldest === undefined ? undefined : new Date(oldest),
      topErrors: await topErrors(this.#options.broker.deadLetters, stream),
    };
    const alerter = await this.#loaded();
    watched.untold = await alerter.tell(alert, signal, untold === "everybody" ? undefined : untold);
  }

  async #loaded(): Promise<Alerter> {
    return this.#alerter ??= await this.#options.alerter();
  }

  /** Ages are the broker's; that this machine's clock is another is worth a line, for its logs are wrong. */
  #compare(now: number): void {
    const difference = this.#options.clock.now() - now;
    const skewed = Math.abs(difference) > SKEW_MS;
    if (skewed && !this.#skewed) {
      log.warn("dlq_maintenance.clock_differs", {
        broker: this.#options.broker.name,
        seconds: Math.round(difference / 1000),
        hint: "Dead letters are kept by the broker's clock; set this machine's.",
      });
    }
    this.#skewed = skewed;
  }
}

/** What the newest letters failed of. */
async function topErrors(deadLetters: DeadLetters, stream: string): Promise<DlqAlert["topErrors"]> {
  const page = await deadLetters.list(stream, {
    ...{ direction: "backwards", limit: SAMPLE, maxBytes: SAMPLE_BYTES },
  });
  const counts = new Map<string, number>();
  for (const { id, data } of page) {
    const { errorType } = summarizeDeadLetter(data, { stream, id });
    const type = errorType ?? "unknown";
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].map(([errorType, count]) => ({ errorType, count }))
    .sort((a, b) => b.count - a.count).slice(0, TOP_ERRORS);
}
