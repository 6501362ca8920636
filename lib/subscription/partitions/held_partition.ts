/**
 * One key of a parted category while this process owns it: its entries one after the other, each only when
 * the one before has its outcome; still where one has failed for good.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Partition, PartitionEntry, PartitionLease } from "../../adapters/ports.ts";
import { abortable, joined } from "../../async/abort.ts";
import { reconnectDelay } from "../../async/backoff.ts";
import { elapsedMs, momentOf, sleep } from "../../async/clock.ts";
import { Wakeup } from "../../async/wakeup.ts";
import { asError, FencedError, GroupMissingError } from "../../errors.ts";
import { reporting, type WorkReporter } from "../../status/work_health.ts";
import type { Delivery } from "../delivery.ts";
import type { SubscriptionScope } from "../scope.ts";
import type { Admission } from "./admission.ts";
import type { PartitionLane } from "./partition_lane.ts";

const log = getLogger(["protean", "subscription"]);

/** So often it is looked whether somebody has unblocked a key. */
const UNBLOCKED_MS = 1_000;
/** Entries handled between two looks at how long the stream is. */
const TRIM_EVERY = 1_000;

export interface HeldPartitionParts {
  readonly key: string;
  readonly scope: SubscriptionScope;
  readonly partition: Partition;
  readonly lease: PartitionLease;
  readonly lane: PartitionLane;
  readonly reapIdleMs: number;
  readonly admission: Admission;
  /** Told how reading goes. */
  readonly work: WorkReporter;
}

export class HeldPartition {
  readonly key: string;
  readonly lane: PartitionLane;
  /** Nothing is there to be read, as of the last look. */
  idle = false;
  readonly #parts: HeldPartitionParts;
  readonly #woken = new Wakeup();
  /** The delivery whose outcome is waited for. */
  #current: Delivery | undefined;
  /** What was taken over is not yet worked off. */
  #inherited = true;
  #handled = 0;
  #resting = false;

  constructor(parts: HeldPartitionParts) {
    this.#parts = parts;
    this.key = parts.key;
    this.lane = parts.lane;
  }

  /** There may be something to be read. */
  wake(): void {
    this.#woken.notify();
  }

  /** To be given back while it is idle: others have something to do. */
  rest(): void {
    this.#resting = this.idle;
    this.#woken.notify();
  }

  /**
   * Works on the key until it is lost, reaped, or `signal` aborts and nothing of it runs in a handler; then
   * gives it back. `ended`: nothing runs any more, and whoever ends the subscription gives it back. Never
   * rejects.
   */
  async run(signal: AbortSignal, ended: AbortSignal): Promise<void> {
    const { lease, scope, partition } = this.#parts;
    const lost = () => this.#lose();
    lease.signal.addEventListener("abort", lost);
    using until = joined(signal, lease.signal);
    try {
      await this.#work(until.signal, ended);
    } catch (error) {
      const cause = asError(error);
      const isLost = cause instanceof FencedError || cause instanceof GroupMissingError;
      const facts = { subscription: scope.name, stream: partition.stream, error: cause.message };
      if (isLost) log.info("subscription.partition_lost", facts);
      else log.error("subscription.partition_failed", { ...facts, error: cause.stack ?? cause.message });
      this.#lose();
    } finally {
      lease.signal.removeEventListener("abort", lost);
    }
    if (this.left) return;
    await this.#giveBack();
  }

  /** Something of it was at work when nothing was to run any more: the subscription's end gives it back. */
  get left(): boolean {
    const delivery = this.#current;
    return delivery !== undefined && !delivery.over && !this.lane.lost && isAtWork(delivery);
  }

  async #work(until: AbortSignal, ended: AbortSignal): Promise<void> {
    const { partition, scope: { clock }, reapIdleMs } = this.#parts;
    if (!await this.#asking(() => partition.adopt(), until)) return;
    let idleSince = momentOf(clock);
    // Whoever owns a key that was left alone for long removes it at once.
    let reapIn = 0;
    while (!until.aborted && !this.#resting) {
      const delivery = await this.#read(until);
      if (delivery) {
        const outcome = await this.#handle(delivery, until, ended);
        if (outcome === "halted") await this.#untilUnblocked(until);
        idleSince = momentOf(clock);
        reapIn = reapIdleMs;
        await this.#trim();
        continue;
      }
      this.#inherited = false;
      if (until.aborted) return;
      if (elapsedMs(clock, idleSince) >= reapIn) {
        if (await this.#asking(() => partition.reap(reapIdleMs), until)) return;
        idleSince = momentOf(clock);
        reapIn = reapIdleMs;
      }
      this.idle = true;
      const ms = Math.max(1, reapIn - elapsedMs(clock, idleSince));
      await this.#woken.wait({ signal: until, clock, ms });
      this.idle = false;
    }
  }

  /** The next entry, in the inbox, once there is room for it and no backend of the handler is away. */
  async #read(until: AbortSignal): Promise<Delivery | undefined> {
    const { admission, partition } = this.#parts;
    await admission.enter(until);
    try {
      const entry = until.aborted ? undefined : await this.#asking(() => partition.next(), until);
      return entry && this.#takeIn(entry);
    } finally {
      admission.leave();
    }
  }

  /** Asks the broker until it answers. Undefined: `until` has aborted. Rejects where the key is lost. */
  async #asking<T>(ask: () => Promise<T>, until: AbortSignal): Promise<T | undefined> {
    const { scope: { clock, random, name }, work, partition } = this.#parts;
    for (let failures = 1; !until.aborted; failures++) {
      try {
        return await reporting(work, ask());
      } catch (error) {
        if (error instanceof FencedError || error instanceof GroupMissingError) throw error;
        const facts = { subscription: name, stream: partition.stream, error: asError(error).message };
        log.debug("subscription.partition_deferred", facts);
        await sleep(clock, reconnectDelay(failures, random), until);
      }
    }
    return undefined;
  }

  /** Resolves with the outcome; `left` once `until` has aborted and it has none, and is not at work. */
  async #handle(
    delivery: Delivery,
    until: AbortSignal,
    ended: AbortSignal,
  ): Promise<"over" | "halted" | "left"> {
    const { inbox } = this.#parts.scope;
    this.#current = delivery;
    const over = Promise.withResolvers<void>();
    delivery.whenOver = over.resolve;
    await abortable(over.promise, until).catch(() => {});
    // Told to stop. What is in its handler has the drain's time, and its acknowledgement after that.
    while (!delivery.over && !this.lane.lost && isAtWork(delivery) && !ended.aborted) {
      await Promise.race([over.promise, inbox.changed.wait({ signal: ended })]);
    }
    if (!delivery.over) return "left";
    this.#current = undefined;
    this.#handled++;
    return this.lane.haltedAt(delivery.id) ? "halted" : "over";
  }

  #takeIn(entry: PartitionEntry): Delivery {
    const { inbox, settings, figures } = this.#parts.scope;
    // Its key is the partition's own: nothing else of the process waits for it, and it waits for nothing.
    if (!entry.pending) {
      const [read] = inbox.addRead(this.lane, [entry]);
      if (!read) throw new Error("the inbox took nothing in");
      read.key = this.lane.name;
      return read;
    }
    let claimed: Delivery | undefined;
    inbox.addClaimed(this.lane, [entry], (delivery) => {
      claimed = delivery;
      if (this.#inherited) {
        figures.happened("recovered");
        delivery.suspect = delivery.attempts.suspicious(settings.maxDeliveries);
      } else delivery.attempts.neverHeardOf();
      delivery.key = this.lane.name;
      inbox.enter(delivery);
    });
    if (!claimed) throw new Error("the inbox took nothing in");
    return claimed;
  }

  async #untilUnblocked(until: AbortSignal): Promise<void> {
    const { scope: { clock, name }, partition } = this.#parts;
    do {
      await sleep(clock, UNBLOCKED_MS, until);
    } while (await this.#asking(() => partition.halted(), until));
    if (!until.aborted) {
      log.info("subscription.partition_unblocked", { subscription: name, stream: partition.stream });
    }
  }

  async #trim(): Promise<void> {
    const { scope: { settings: { retentionMaxlen }, name }, partition } = this.#parts;
    if (!retentionMaxlen || this.#handled % TRIM_EVERY !== 0) return;
    await partition.trim(retentionMaxlen).catch((error) =>
      log.debug("subscription.maintenance_deferred", {
        ...{ subscription: name, step: "trim", error: asError(error).message },
      })
    );
  }

  /** Somebody else may own the key: what is here of it is dropped, or may not commit any more. */
  #lose(): void {
    const { scope: { inbox, figures } } = this.#parts;
    const ids = inbox.openIds(this.lane);
    if (ids.size > 0) figures.happened("lost", inbox.lose(this.lane, ids));
  }

  /** What was read and has not begun goes back as it came; then the key is anybody's. */
  async #giveBack(): Promise<void> {
    const { scope: { inbox, name }, partition } = this.#parts;
    const { source, acks } = this.lane;
    const delivery = this.#current;
    try {
      if (!this.lane.lost) {
        await acks.close();
        await acks.flush();
        if (delivery && !delivery.over) {
          await source.release([{ id: delivery.id, count: delivery.attempts.finished(false) }]);
          inbox.drop(delivery);
        }
        await source.retire();
      }
    } catch (error) {
      log.debug("subscription.partition_deferred", {
        ...{ subscription: name, stream: partition.stream, error: asError(error).message },
      });
    } finally {
      await source.close();
    }
  }
}

function isAtWork({ stage }: Delivery): boolean {
  return stage === "running" || stage === "closing" || stage === "done";
}
