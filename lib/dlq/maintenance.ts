/**
 * Keeps the dead-letter queues of one broker under control (guide "Keep the DLQ under control"): trims them
 * by age, measures them, and alerts where one has reached its threshold. Of all processes on the broker one
 * does it at a time, so that there is one alert per queue and cycle (DLQ-6).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker } from "../adapters/ports.ts";
import type { Alerter } from "../alerts/alerter.ts";
import { SoleLock } from "../alerts/sole_lock.ts";
import { joined } from "../async/abort.ts";
import type { Random } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService, type ServiceStatus } from "../async/service.ts";
import type { DlqAlert } from "../domain/dlq_alert.ts";
import type { DeadLetterEvent, Observer } from "../domain/observer.ts";
import { logLine } from "../message/describe_error.ts";
import { Census } from "./census.ts";
import { largestLetter } from "../message/dead_letter.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { discardedStream } from "../message/names.ts";
import { type Breach, type KeptAlerts, QueueAlerts } from "./queue_alerts.ts";
import { HOUR_MS, QueueTrimmer, trimOlder } from "./trimming.ts";
import { partiesOf, type Party, type WatchedQueue } from "./watched_queue.ts";

const log = getLogger(["protean", "dlq"]);

/** The first cycle begins within so much of the start, so that replicas do not all ask at once. */
const FIRST_WITHIN_MS = 2_000;
/** A share of the interval by which cycles differ. */
const JITTER = 0.1;
/** Hours for which discarded letters are kept, unless somebody says otherwise. */
const DISCARD_KEEP_HOURS = 168;
/** Letters of a queue, written by others, that one cycle counts. */
const COUNTED_AT_ONCE = 250_000;
/** More than clocks of machines that are kept in time differ by. */
const SKEW_MS = 60_000;

export interface DlqMaintenanceOptions {
  readonly broker: BaseBroker;
  /** Its name, for several may be on the broker. */
  readonly domain: string;
  /** One of each stream. */
  readonly queues: readonly WatchedQueue[];
  /** What counts for handlers that have no threshold of their own. */
  readonly alertThreshold: number;
  readonly alertOn: "cycle" | "change";
  /** Whether a queue is one that is alerted about. @default each is */
  readonly isAbout?: (stream: string) => boolean;
  readonly intervalSeconds: number;
  /** Hours for which discarded letters can be restored. @default 168 */
  readonly discardKeepHours?: number;
  /** Called once, when the maintenance begins; it does not reject. */
  readonly alerter: () => Promise<Alerter<DlqAlert>>;
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
}

export class DlqMaintenance extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name: string;
  readonly #options: DlqMaintenanceOptions;
  readonly #watched: readonly Watched[];
  readonly #figures = new Map<string, QueueFigures>();
  readonly #counters = { trimmed: 0, alerts: 0 };
  readonly #alerts: QueueAlerts;
  readonly #lock: SoleLock;
  #failing = false;
  #skewed = false;

  constructor(options: DlqMaintenanceOptions) {
    super();
    const { broker, domain, queues, alertThreshold, clock, observer } = options;
    const { maxReceivedBytes = MAX_MESSAGE_BYTES } = options;
    const largest = largestLetter(maxReceivedBytes);
    this.name = `dlq-maintenance-${broker.name}`;
    this.#options = options;
    this.#alerts = new QueueAlerts(options);
    // Each domain has queues of its own to look after.
    this.#lock = new SoleLock(broker, `dlq-maintenance:${domain}`);
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
      };
    });
  }

  /** By stream, as the last cycle here found them; empty while another process does the work. */
  get figures(): ReadonlyMap<string, QueueFigures> {
    return this.#figures;
  }

  status(): ServiceStatus {
    const counters = { ...this.#counters, alertsFailed: this.#alerts.failures };
    return { kind: "dlq_maintenance", name: this.name, unfinished: 0, counters };
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalSeconds, random = Math.random } = this.#options;
    // That it cannot tell anybody is said at the start, and not when there is something to tell.
    await this.#alerts.ready();
    await sleep(clock, random() * FIRST_WITHIN_MS, signal);
    while (!signal.aborted) {
      await this.#turn(signal);
      await sleep(clock, intervalSeconds * 1000 * (1 + (random() - 0.5) * JITTER), signal);
    }
  }

  protected override async end(): Promise<void> {
    await this.#lock.release();
  }

  /** One cycle, if it is this process that does it. Never rejects; what went wrong is told once. */
  async #turn(signal: AbortSignal): Promise<void> {
    try {
      const held = await this.#lock.hold(signal);
      if (held === undefined) return void this.#figures.clear();
      using either = joined(signal, held.signal);
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

  /**
   * Looks after every queue once, until `signal` aborts. Rejects with the first failure after all queues have
   * had their turn.
   */
  async cycle(signal: AbortSignal): Promise<void> {
    const { broker } = this.#options;
    const now = await broker.time();
    this.#compare(now);
    const failures: unknown[] = [];
    const kept = this.#alerts.load(this.#watched.map(({ queue }) => queue.stream), now).catch((error) => {
      failures.push(error);
      return undefined;
    });
    for (const watched of this.#watched) {
      if (signal.aborted) return;
      await this.#lookAfter(watched, now, await kept, signal).catch((error) => void failures.push(error));
    }
    // Behind everything else: of a long queue that nobody has counted yet, this takes a while.
    for (const { queue: { stream } } of this.#watched) {
      if (signal.aborted) return;
      const counting = broker.deadLetters.failures?.countOn(stream, COUNTED_AT_ONCE, signal);
      await counting?.catch((error) => void failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async #lookAfter(
    watched: Watched,
    now: number,
    kept: KeptAlerts | undefined,
    signal: AbortSignal,
  ): Promise<void> {
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
    if (!kept) return;
    const { isAbout = () => true } = this.#options;
    const breaches = isAbout(stream) ? await this.#breaches(watched, depth, signal) : [];
    if (signal.aborted) return;
    const happened = () => watched.happened("alerts", 1);
    await this.#alerts.judge({ queue: watched.queue, parties: watched.parties, happened }, breaches, {
      ...{ depth, oldest, kept, signal },
    });
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
