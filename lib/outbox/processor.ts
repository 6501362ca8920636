/**
 * The outbox processor: takes its share of the shards, publishes their rows in order, records them as
 * published (delivery 9). Woken by the commit, not by the tick; every process may run one, and there is no
 * leader. To stop it is to flush it: what is due leaves first (DRN-1).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import {
  type BaseBroker,
  type BaseProvider,
  OUTBOX_SHARDS,
  type OutboxLease,
  type OutboxRow,
} from "../adapters/ports.ts";
import { loopDelay, type Random } from "../async/backoff.ts";
import { BatchSize } from "../async/batch_size.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { together } from "../async/every.ts";
import type { Lanes } from "../domain/lanes.ts";
import { PUBLISH_EVENTS, type PublishEvent, type PublishObserver } from "../domain/observer.ts";
import { asError, ProteanError, ProviderUnavailableError } from "../errors.ts";
import { BackgroundService, type EngineService, type ServiceStatus } from "../async/service.ts";
import { Wakeup } from "../async/wakeup.ts";
import { BATCH_SIZE, type OutboxRetry, publishDue, type PublishedBatch } from "./publish.ts";
import { Figures } from "../status/figures.ts";
import { type Asking, unheard, type WorkReporter } from "../status/work_health.ts";
import { StreamRefusals } from "./stream_refusals.ts";
import { InFlightMessages } from "./in_flight.ts";

const log = getLogger(["protean", "outbox"]);

/** Code of the error for tables that only a newer server understands. */
const SCHEMA_NEWER = "DATABASE_SCHEMA_NEWER";

/**
 * While there is work, shards are shared out anew this often: so long somebody who has just come waits for
 * the first of them.
 */
const SHARE_MS = 200;

export interface OutboxProcessorOptions {
  readonly provider: BaseProvider;
  readonly broker: BaseBroker;
  /** Choose the streams of rows by their priority. @default everything goes to its category's */
  readonly lanes?: Lanes | undefined;
  /** Name of this process in lease rows and logs. */
  readonly owner: string;
  readonly clock: Clock;
  readonly random?: Random;
  readonly settings: {
    /** Rows claimed at a time, fewer where they are large. */
    readonly messagesPerTick: number;
    /** Longest wait before looking again without having been woken. */
    readonly maxTickIntervalSeconds: number;
    readonly retry: OutboxRetry;
  };
  /** Told how the work with the database and with the broker goes. @default nobody is told */
  readonly work?: {
    readonly provider: WorkReporter;
    readonly broker: WorkReporter;
    /** Of what the database leaves without an answer. @default nobody is told */
    readonly asking?: Asking;
    /** Of streams that the broker refuses while it takes others. @default nobody is told */
    readonly streams?: WorkReporter;
  };
  /** Told of what becomes of rows. @default nobody is told */
  readonly observer?: PublishObserver | undefined;
  readonly onFailure?: (error: Error) => void;
}

export class OutboxProcessor extends BackgroundService implements EngineService {
  readonly stage = "publishing";
  readonly name: string;
  readonly #figures: Figures<PublishEvent>;
  readonly #options: OutboxProcessorOptions;
  readonly #wakeup = new Wakeup();
  readonly #inFlight = new InFlightMessages();
  readonly #refusals: StreamRefusals;
  readonly #batch: BatchSize;
  #woken = false;
  #prepared = false;
  #failures = 0;
  /** Why the broker did not take the last batch. */
  #refusal: Error | undefined;
  /** Aborts when `stop()` may begin no further batch. */
  #cut = new AbortController();

  constructor(options: OutboxProcessorOptions) {
    super();
    this.#options = options;
    this.#figures = new Figures(PUBLISH_EVENTS, options.observer);
    this.name = `outbox-processor-${options.provider.name}-to-${options.broker.name}`;
    this.#refusals = new StreamRefusals(this.name, options.work?.streams ?? unheard);
    const most = options.settings.messagesPerTick;
    this.#batch = new BatchSize({ most, mostSize: BATCH_SIZE, cautious: true });
  }

  /**
   * Resolves when a message that is just being published may be handled in this process; undefined: at once.
   * Never rejects.
   */
  settled(messageId: string): Promise<void> | undefined {
    return this.#inFlight.settled(messageId);
  }

  /** Rows published, failed and abandoned since it was made. */
  get counters(): Readonly<Record<PublishEvent, number>> {
    return this.#figures.counts;
  }

  /** What it publishes to. */
  get broker(): BaseBroker {
    return this.#options.broker;
  }

  status(): ServiceStatus {
    return { kind: "outbox", name: this.name, unfinished: 0, counters: { ...this.counters } };
  }

  /** Begins no further batch, nor does `stop()`; the one under way is published and recorded. */
  cut(): void {
    this.#cut.abort();
  }

  /**
   * Whatever a backend answers is tried again, for ever, and readiness tells of it: what only an operator can
   * mend, he mends while this runs. An error that is no adapter's is a defect and ends the service, and so
   * do tables that a newer server has changed so that this one must not use them: its handlers must not
   * either.
   */
  protected async run(signal: AbortSignal): Promise<void> {
    const { provider, clock } = this.#options;
    const random = this.#options.random ?? Math.random;
    const unwatch = provider.outbox.watch(() => {
      this.#woken = true;
      this.#wakeup.notify();
    });
    try {
      while (!this.#cut.signal.aborted) {
        try {
          await this.#prepare();
          return await this.#stand(signal);
        } catch (error) {
          if (!(error instanceof ProteanError) || error.code === SCHEMA_NEWER) throw error;
          this.#failed(error, signal);
          this.#prepared = false; // the tables may have been changed, or lost, meanwhile
          if (signal.aborted) return;
          // A stop ends the pause, and what is due then is tried once more.
          await sleep(clock, loopDelay(this.#failures, random), signal);
        }
      }
    } finally {
      unwatch();
    }
  }

  protected override begin(): void {
    this.#cut = new AbortController();
  }

  protected override failed(cause: unknown): void {
    log.fatal("outbox.processor_failed", {
      processor: this.name,
      error: asError(cause).stack ?? String(cause),
    });
    this.#options.onFailure?.(asError(cause));
  }

  get #work(): NonNullable<OutboxProcessorOptions["work"]> {
    return this.#options.work ?? { provider: unheard, broker: unheard };
  }

  async #prepare(): Promise<void> {
    if (this.#prepared) return;
    await this.#options.provider.setup("own", []);
    this.#prepared = true;
  }

  /**
   * Works on a lease of its own until a backend fails or it is cut; once `signal` aborts, until nothing is
   * due. A backlog that others stand for as well is left to them.
   */
  async #stand(signal: AbortSignal): Promise<void> {
    const { provider, broker, owner, clock } = this.#options;
    const cut = this.#cut.signal;
    const asking = this.#work.asking ?? ((work) => work);
    const lease = asked(await asking(provider.outbox.lease({ broker: broker.name, owner })), asking);
    try {
      let shared = clock.monotonic();
      while (!cut.aborted) {
        if (!signal.aborted && clock.monotonic() - shared >= SHARE_MS) {
          await lease.share();
          shared = clock.monotonic();
        }
        this.#woken = false;
        const stopping = signal.aborted;
        const looked = clock.now();
        const isAlone = lease.shards.length === OUTBOX_SHARDS;
        const mayGoOn = () => {
          if (cut.aborted) return false;
          return signal.aborted ? isAlone : clock.monotonic() - shared < SHARE_MS;
        };
        const done = await this.#round(lease, mayGoOn);
        this.#recovered();
        // Only a round that was begun after the stop has seen everything that was committed before it.
        if (done ? stopping : signal.aborted && !isAlone) return;
        if (!done || this.#woken || signal.aborted) continue;
        const due = await lease.nextDue();
        // What was due already is in somebody else's hands, or behind a row that is not: there is nothing to
        // be had before the tick.
        await this.#wait(due !== undefined && due > looked ? due : undefined, signal);
      }
    } finally {
      await lease.release();
    }
  }

  async #round(lease: OutboxLease, mayGoOn: () => boolean): Promise<boolean> {
    const { broker, lanes, clock, settings } = this.#options;
    try {
      return await publishDue({
        ...{ lease, broker, clock, mayGoOn, cut: () => this.#cut.signal.aborted, inFlight: this.#inFlight },
        lanes,
        retry: settings.retry,
        refusals: this.#refusals,
        batch: this.#batch,
        random: this.#options.random ?? Math.random,
        onBatch: (batch, rows) => this.#count(batch, rows),
      });
    } finally {
      this.#inFlight.clear();
    }
  }

  #count(batch: PublishedBatch, rows: readonly OutboxRow[]): void {
    this.#refusal = batch.unavailable;
    if (batch.unavailable) {
      const { provider, broker } = this.#work;
      const ofDatabase = batch.unavailable instanceof ProviderUnavailableError;
      (ofDatabase ? provider : broker).unavailable(batch.unavailable.message);
      // The round ends with it, and would not say that the database has given out its rows.
      if (!ofDatabase) provider.ok();
    }
    if (batch.published > 0) {
      this.#figures.happened("published", batch.published);
      this.#tell(batch, rows);
    }
    if (batch.outcomes.length > 0) {
      log.debug("outbox.batch_completed", {
        ...{ processor: this.name, total: batch.outcomes.length, successful: batch.published },
        failed: batch.outcomes.length - batch.published,
      });
    }
    for (const outcome of batch.outcomes) {
      if (outcome.status !== "failed" && outcome.status !== "abandoned") continue;
      // Told for its stream, once.
      if (outcome.status === "failed" && outcome.uncounted) continue;
      this.#figures.happened(outcome.status);
      const row = rows.find(({ id }) => id === outcome.id);
      log.warn(`outbox.${outcome.status}`, {
        processor: this.name,
        message_id: row?.messageId,
        stream: row?.streamName,
        error: outcome.error,
      });
    }
  }

  #tell({ outcomes, ms }: PublishedBatch, rows: readonly OutboxRow[]): void {
    const { observer } = this.#options;
    if (!observer?.batch) return;
    const published = new Set(outcomes.filter(({ status }) => status === "published").map(({ id }) => id));
    observer.batch(rows.filter(({ id }) => published.has(id)), ms);
  }

  /** Until a commit, until `due` (epoch ms), for a tick at most. */
  async #wait(due: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#woken) return;
    const { clock, settings } = this.#options;
    const longest = together(clock, settings.maxTickIntervalSeconds * 1000);
    const ms = due === undefined ? longest : Math.min(longest, Math.max(1, due - clock.now()));
    await this.#wakeup.wait({ signal, ms, clock });
  }

  /**
   * A round that found nothing, for another has those rows now, says nothing about a broker that was away.
   */
  #recovered(): void {
    this.#work.provider.ok();
    if (this.#refusal) return;
    this.#work.broker.ok();
    if (this.#failures > 0) {
      log.info("outbox.publishing_again", { processor: this.name, attempts: this.#failures });
    }
    this.#failures = 0;
  }

  /** Rows wait in the database; the log says so once per outage (OBX-4). */
  #failed(error: Error, signal: AbortSignal): void {
    if (signal.aborted) {
      log.warn("outbox.flush_failed", { processor: this.name, error: error.message });
      return;
    }
    if (error !== this.#refusal) this.#work.provider.unavailable(error.message);
    if (this.#failures === 0) {
      log.warn("outbox.publishing_paused", { processor: this.name, error: error.message });
    }
    this.#failures++;
  }
}

/** The same lease; what it asks of the database is answered at once, or told of. */
function asked(lease: OutboxLease, asking: Asking): OutboxLease {
  return {
    get shards() {
      return lease.shards;
    },
    assertHeld: () => lease.assertHeld(),
    claim: (limit) => asking(lease.claim(limit)),
    settle: (outcomes) => asking(lease.settle(outcomes)),
    share: () => asking(lease.share()),
    nextDue: () => asking(lease.nextDue()),
    release: () => lease.release(),
  };
}
