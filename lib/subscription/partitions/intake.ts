/**
 * How a subscription reads a parted category (wire 2.11): finds its keys, owns those that nobody owns, and
 * works on each as long as it has it. Partitions are read wherever there are some, whoever has parted the
 * category.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, Partitions } from "../../adapters/ports.ts";
import { elapsedMs, type Moment, momentOf, sleep } from "../../async/clock.ts";
import { together } from "../../async/every.ts";
import { asError } from "../../errors.ts";
import { reporting, type WorkReporter } from "../../status/work_health.ts";
import type { SubscriptionScope } from "../scope.ts";
import { Admission } from "./admission.ts";
import { HeldPartition } from "./held_partition.ts";
import type { PartitionLeases } from "./leases.ts";
import { PartitionLane } from "./partition_lane.ts";

const log = getLogger(["protean", "subscription"]);

/** Leases that are asked for at once. */
const STEP = 100;
/**
 * Keys that one subscription keeps although they have nothing to do: beyond, they are given back, and owned
 * only when there is something to read. A key that is owned takes some kilobytes and two timers.
 */
const MOST_IDLE = 2_000;
/** Of those that have nothing to read, so many are looked at in each pass, for they may be cold. */
const SAMPLE = 50;
/** Where there are many keys they are looked for less often: so many in each millisecond. */
const KEYS_PER_MS = 10;

/** `[server.partitioning]`. */
export interface PartitioningSettings {
  readonly leaseTtlMs: number;
  /** How often leases are renewed and those of others tried. */
  readonly heartbeatMs: number;
  /** How often keys without anything to do are looked at. */
  readonly pollMs: number;
  /** A key that was idle for so long is removed with its stream. */
  readonly reapIdleMs: number;
  /** `[server.priority_lanes] backfill_suffix`. @default backfill */
  readonly backfillSuffix?: string;
}

export interface PartitionIntakeParts {
  readonly scope: SubscriptionScope;
  readonly category: string;
  readonly partitions: Partitions;
  readonly settings: PartitioningSettings;
  readonly leases: PartitionLeases;
  /** A handler of this domain parts the category: keys are looked for at every poll, else seldom. */
  readonly expected: boolean;
  /** The broker's `entries`. */
  readonly entries?: BaseBroker["entries"] | undefined;
  readonly maxEntryBytes: number;
  /** Makes a reporter for each kind of work with the broker. */
  readonly reporter: () => WorkReporter;
}

export class PartitionIntake {
  readonly #parts: PartitionIntakeParts;
  readonly #held = new Map<string, HeldPartition>();
  readonly #running = new Set<Promise<void>>();
  readonly #work: WorkReporter;
  readonly #reading: WorkReporter;
  readonly #admission: Admission;
  #known = 0;
  #looked: Moment | undefined;
  #failing = false;

  constructor(parts: PartitionIntakeParts) {
    this.#parts = parts;
    this.#work = parts.reporter();
    this.#reading = parts.reporter();
    const { inbox, pause, stopped } = parts.scope;
    this.#admission = new Admission(inbox, pause, stopped);
  }

  /** Of the keys that are owned now. */
  get lanes(): readonly PartitionLane[] {
    return [...this.#held.values()].map(({ lane }) => lane);
  }

  /**
   * Reads until `signal` aborts; then resolves when every key is given back whose work has ended, all of them
   * once `ended` has aborted. Never rejects.
   */
  async run(signal: AbortSignal, ended: AbortSignal): Promise<void> {
    const { scope: { clock, settings: { claimIntervalMs }, name }, settings, expected } = this.#parts;
    while (!signal.aborted) {
      try {
        await reporting(this.#work, this.#pass(signal, ended), settings.pollMs);
        this.#failing = false;
      } catch (error) {
        const facts = { subscription: name, error: asError(error).message };
        if (!this.#failing) log.warn("subscription.partitions_unread", facts);
        this.#failing = true;
      }
      const parted = expected || this.#known > 0;
      await sleep(clock, together(clock, parted ? settings.pollMs : claimIntervalMs), signal);
    }
    await Promise.all(this.#running);
  }

  async #pass(signal: AbortSignal, ended: AbortSignal): Promise<void> {
    const { partitions, category, scope: { clock, runner }, settings } = this.#parts;
    const count = await partitions.count(category);
    const crowded = count > MOST_IDLE;
    const every = Math.max(settings.heartbeatMs, crowded ? count / KEYS_PER_MS : 0);
    const due = !this.#looked || elapsedMs(clock, this.#looked) >= every;
    if (count !== this.#known && !crowded || due && count > 0) {
      this.#looked = momentOf(clock);
      await this.#discover(signal, ended);
    }
    this.#known = count;
    const idle = [...this.#held.values()].filter(({ idle }) => idle).map(({ key }) => key);
    if (idle.length === 0) return;
    const news = new Set(await partitions.news(category, runner.group, idle));
    for (const key of news) this.#held.get(key)?.wake();
    const spare = idle.filter((key) => !news.has(key)).slice(0, Math.max(0, this.#held.size - MOST_IDLE));
    for (const key of spare) this.#held.get(key)?.rest();
  }

  async #discover(signal: AbortSignal, ended: AbortSignal): Promise<void> {
    const { partitions, category, scope: { runner } } = this.#parts;
    let free = (await partitions.keys(category)).filter((key) => !this.#held.has(key));
    if (this.#held.size + free.length > MOST_IDLE) {
      const news = await partitions.news(category, runner.group, free);
      const busy = new Set(news);
      free = [...news, ...sample(free.filter((key) => !busy.has(key)), SAMPLE, this.#parts.scope.random)];
    }
    for (let at = 0; at < free.length && !signal.aborted; at += STEP) {
      await Promise.all(free.slice(at, at + STEP).map((key) => this.#take(key, signal, ended)));
    }
  }

  async #take(key: string, signal: AbortSignal, ended: AbortSignal): Promise<void> {
    const { scope, partitions, category, leases, settings, maxEntryBytes, entries, reporter } = this.#parts;
    const { runner: { group, name: handler }, clock, inbox } = scope;
    const { leaseTtlMs: ttlMs, heartbeatMs: renewMs, reapIdleMs, backfillSuffix = "backfill" } = settings;
    const lease = await leases.take(partitions, { group, key, ttlMs, renewMs });
    if (!lease) return;
    if (signal.aborted) return await lease[Symbol.asyncDispose]();
    const partition = partitions.open({ stream: category, key, group, lease, maxEntryBytes, backfillSuffix });
    const lane = new PartitionLane({
      ...{ category, partition, lease, clock, handler, entries, maxEntryBytes },
      maxRetries: scope.settings.maxRetries,
      reporter,
      settled: (delivery) => inbox.settle(delivery),
    });
    const held = new HeldPartition({
      ...{ key, scope, partition, lease, lane, reapIdleMs, work: this.#reading },
      admission: this.#admission,
    });
    this.#held.set(key, held);
    log.debug("subscription.partition_owned", { subscription: scope.name, stream: partition.stream });
    const work = held.run(signal, ended).finally(() => {
      this.#running.delete(work);
      // What is left at work stays with whoever ends the subscription.
      if (!held.left && this.#held.get(key) === held) this.#held.delete(key);
    });
    this.#running.add(work);
  }
}

/** Up to `count` neighbours, from anywhere in the list. */
function sample<T>(list: readonly T[], count: number, random: () => number): readonly T[] {
  const from = Math.floor(random() * Math.max(1, list.length - count + 1));
  return list.slice(from, from + count);
}
