/**
 * The outbox processor: takes shards, publishes their rows in order, marks them (delivery 9). Woken by the commit, not by the
 * tick; every process may run one, and there is no leader.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, BaseProvider, OutboxLease, OutboxRow } from "../adapters/ports.ts";
import { type Random, reconnectDelay } from "../backoff.ts";
import { type Clock, sleep } from "../clock.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { BackgroundService } from "../lifecycle.ts";
import { Wakeup } from "../wakeup.ts";
import { type OutboxRetry, publishBatch, type PublishedBatch } from "./publisher.ts";

const log = getLogger(["protean", "outbox"]);

/** A lease is given back after this long, so that other processes get their turn at the shards. */
const LEASE_MS = 2000;

export interface OutboxProcessorOptions {
  readonly provider: BaseProvider;
  readonly broker: BaseBroker;
  /** Name of this process in lease rows and logs. */
  readonly owner: string;
  readonly clock: Clock;
  readonly random?: Random;
  readonly settings: {
    /** Rows claimed at a time. */
    readonly messagesPerTick: number;
    /** Longest wait before looking again without having been woken. */
    readonly maxTickIntervalSeconds: number;
    readonly retry: OutboxRetry;
  };
  readonly onFailure?: (error: Error) => void;
}

export class OutboxProcessor extends BackgroundService {
  readonly name: string;
  /** Rows published, failed and abandoned since the start. */
  readonly counters = { published: 0, failed: 0, abandoned: 0 };
  readonly #options: OutboxProcessorOptions;
  readonly #wakeup = new Wakeup();
  #woken = false;
  #prepared = false;
  #failures = 0;

  constructor(options: OutboxProcessorOptions) {
    super();
    this.#options = options;
    this.name = `outbox-processor-${options.provider.name}-to-${options.broker.name}`;
  }

  /** Publishes everything that is due now; used for the drain's last pass. Rejects when a backend does not answer. */
  async pass(signal?: AbortSignal): Promise<void> {
    const { provider, broker, owner } = this.#options;
    if (!this.#prepared) {
      await provider.setup("own", []);
      this.#prepared = true;
    }
    while (!signal?.aborted) {
      const lease = await provider.outbox.lease({ broker: broker.name, owner });
      if (!lease) return;
      try {
        const unavailable = await this.#work(lease, signal);
        if (unavailable) throw unavailable;
      } finally {
        await lease.release();
      }
    }
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { provider, clock } = this.#options;
    const random = this.#options.random ?? Math.random;
    const unwatch = provider.outbox.watch(() => {
      this.#woken = true;
      this.#wakeup.notify();
    });
    try {
      while (!signal.aborted) {
        this.#woken = false;
        try {
          await this.pass(signal);
          this.#recovered();
          await this.#idle(signal);
        } catch (error) {
          this.#failed(asError(error), signal);
          await sleep(clock, reconnectDelay(this.#failures, random), signal);
        }
      }
    } finally {
      unwatch();
    }
  }

  protected override failed(cause: unknown): void {
    log.fatal("outbox.processor_failed", {
      processor: this.name,
      error: asError(cause).stack ?? String(cause),
    });
    this.#options.onFailure?.(asError(cause));
  }

  /** While one batch is published the next is claimed; while that is published the first is marked. */
  async #work(lease: OutboxLease, signal: AbortSignal | undefined): Promise<Error | undefined> {
    const { broker, clock, settings } = this.#options;
    const random = this.#options.random ?? Math.random;
    const parts = { broker, retry: settings.retry, clock, random, held: new Set<string>() };
    const until = clock.monotonic() + LEASE_MS;
    let marking: Promise<void> = Promise.resolve();
    let rows = await lease.claim(settings.messagesPerTick);
    while (rows.length > 0) {
      const more = !signal?.aborted && clock.monotonic() < until && rows.length >= settings.messagesPerTick;
      const published = publishBatch(rows, parts);
      const [batch, next] = await Promise.all([
        published,
        more ? lease.claim(settings.messagesPerTick) : noRows,
        marking,
      ]);
      this.#count(batch, rows);
      marking = lease.settle(batch.outcomes);
      marking.catch(() => {});
      rows = next;
      if (batch.unavailable) {
        await marking;
        if (next.length > 0) await lease.settle(next.map(({ id }) => ({ id, status: "held" })));
        return batch.unavailable;
      }
    }
    await marking;
    return undefined;
  }

  #count(batch: PublishedBatch, rows: readonly OutboxRow[]): void {
    this.counters.published += batch.published;
    for (const outcome of batch.outcomes) {
      if (outcome.status !== "failed" && outcome.status !== "abandoned") continue;
      this.counters[outcome.status]++;
      const row = rows.find(({ id }) => id === outcome.id);
      log.warn(`outbox.${outcome.status}`, {
        processor: this.name,
        message_id: row?.messageId,
        stream: row?.streamName,
        error: outcome.error,
      });
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const { provider, broker, clock, settings } = this.#options;
    if (this.#woken) return;
    const due = await provider.outbox.nextDue(broker.name);
    if (this.#woken) return;
    const longest = settings.maxTickIntervalSeconds * 1000;
    const ms = due === undefined ? longest : Math.min(longest, Math.max(1, due - clock.now()));
    await this.#wakeup.wait({ signal, ms, clock });
  }

  #recovered(): void {
    if (this.#failures > 0) {
      log.info("outbox.publishing_again", { processor: this.name, attempts: this.#failures });
    }
    this.#failures = 0;
  }

  /** Rows wait in the database; the log says so once per outage (OBX-4). */
  #failed(error: Error, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (error instanceof ConfigurationError) this.#options.onFailure?.(error);
    if (this.#failures === 0) {
      log.warn("outbox.publishing_paused", { processor: this.name, error: error.message });
    }
    this.#failures++;
  }
}

const noRows: Promise<readonly OutboxRow[]> = Promise.resolve([]);
