/**
 * What a subscription has read or claimed and not finished: who is next, who waits for what, who is still
 * owned.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import { ProteanError } from "../errors.ts";
import { Wakeup } from "../async/wakeup.ts";
import { type Batch, Delivery } from "./delivery.ts";
import type { Lane } from "./lane.ts";
import { OrderGate } from "./order_gate.ts";
import { RetrySchedule } from "./retry_schedule.ts";

/** What a source delivers. */
interface Entry {
  readonly id: string;
  readonly data: string | undefined;
}

export class Inbox {
  /** Notified when there may be something to take, or room to read. */
  readonly changed = new Wakeup();
  readonly #batches = new Set<Batch>();
  readonly #gate = new OrderGate<Delivery>();
  readonly #retries: RetrySchedule<Delivery>;
  #ready: Delivery[] = [];
  #head = 0;
  /** Released by the order gate, due again, or handed back by a drain. */
  readonly #resumed: Delivery[] = [];
  /** They run one at a time. */
  readonly #suspects: Delivery[] = [];
  #suspect: Delivery | undefined;
  #unfinished = 0;

  /** `room`: how many unfinished deliveries there may be before reading pauses (delivery 4). */
  constructor(clock: Clock, readonly room: number) {
    this.#retries = new RetrySchedule(clock, (delivery) => this.resume(delivery));
  }

  /** Deliveries whose outcome is open: queued, held, running, waiting. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Enough is unfinished: nothing more should be read. */
  get full(): boolean {
    return this.#unfinished >= this.room;
  }

  /** Deliveries read and not yet looked at. */
  get ready(): number {
    return this.#ready.length - this.#head;
  }

  /** Takes in what was read. */
  addRead(lane: Lane<Delivery>, entries: readonly Entry[]): void {
    const batch: Batch = { lane, deliveries: [], open: entries.length };
    for (const entry of entries) batch.deliveries.push(new Delivery(entry.id, entry.data, batch, 1, false));
    this.#batches.add(batch);
    this.#unfinished += entries.length;
    this.#ready = this.ready === 0
      ? batch.deliveries.slice()
      : this.#ready.slice(this.#head).concat(batch.deliveries);
    this.#head = 0;
    this.changed.notify();
  }

  /**
   * Takes in what was claimed; `admit` decodes each and enters its key, so that younger messages wait behind
   * it.
   */
  addClaimed(
    lane: Lane<Delivery>,
    entries: readonly (Entry & { readonly count: number })[],
    admit: (delivery: Delivery) => void,
  ): void {
    const batch: Batch = { lane, deliveries: [], open: entries.length };
    for (const entry of entries) {
      batch.deliveries.push(new Delivery(entry.id, entry.data, batch, entry.count, true));
    }
    this.#batches.add(batch);
    this.#unfinished += entries.length;
    for (const delivery of batch.deliveries) {
      admit(delivery);
      if (delivery.stage === "queued") (delivery.suspect ? this.#suspects : this.#resumed).push(delivery);
    }
    this.changed.notify();
  }

  /** The next delivery to work on, if any. */
  take(): Delivery | undefined {
    while (true) {
      const delivery = this.#next();
      if (!delivery) return undefined;
      if (delivery.ended !== "lost") return delivery;
      this.drop(delivery);
    }
  }

  #next(): Delivery | undefined {
    if (!this.#suspect && this.#suspects.length > 0) return this.#suspect = this.#suspects.shift();
    if (this.#resumed.length > 0) return this.#resumed.shift();
    if (this.#head < this.#ready.length) return this.#ready[this.#head++];
    return undefined;
  }

  /** True: the delivery may run. False: it waits behind an earlier message of its stream. */
  enter(delivery: Delivery): boolean {
    if (delivery.inside) return true;
    delivery.inside = this.#gate.enter(delivery.key, delivery);
    if (!delivery.inside) delivery.stage = "held";
    return delivery.inside;
  }

  /** The handler is about to be run. */
  start(delivery: Delivery): void {
    delivery.stage = "running";
    delivery.attempts.begin();
  }

  /**
   * The outcome is known, and the broker is about to be told: the handler is over, its place is kept until
   * `decide`.
   */
  closing(delivery: Delivery): void {
    delivery.stage = "closing";
  }

  /** Tries the delivery again after `ms`; its stream waits meanwhile, everything else goes on (PIPE-3). */
  defer(delivery: Delivery, ms: number): void {
    this.suspend(delivery);
    this.#retries.add(delivery, ms);
  }

  /** Its stream waits until it is resumed. */
  suspend(delivery: Delivery): void {
    delivery.stage = "waiting";
    this.#freeSuspect(delivery);
    this.changed.notify();
  }

  /** A waiting delivery is to be worked on again. */
  resume(delivery: Delivery): void {
    if (delivery.stage === "done") return;
    delivery.stage = "queued";
    if (delivery.suspect && !delivery.attempts.started) this.#suspects.unshift(delivery);
    else this.#resumed.push(delivery);
    this.changed.notify();
  }

  /** The outcome is known; what is left is at most the acknowledgement. */
  decide(delivery: Delivery): void {
    if (delivery.stage === "done") return;
    delivery.stage = "done";
    this.#unfinished--;
    this.#freeSuspect(delivery);
    if (delivery.inside) {
      delivery.inside = false;
      const next = this.#gate.leave(delivery.key);
      if (next) {
        next.inside = true;
        this.resume(next);
      }
    }
    this.changed.notify();
  }

  /** The entry is no longer pending on us: acknowledged, dead-lettered or lost. */
  settle(delivery: Delivery): void {
    delivery.letGo();
    if (--delivery.batch.open === 0) this.#batches.delete(delivery.batch);
  }

  /** Forgets an entry that somebody else owns now. */
  drop(delivery: Delivery): void {
    if (delivery.stage === "done") return;
    delivery.end("lost");
    this.decide(delivery);
    this.settle(delivery);
  }

  /**
   * Ids of a lane's entries that are pending on us as far as we know, finished ones included until they are
   * acknowledged.
   */
  openIds(lane: Lane<Delivery>): ReadonlySet<string> {
    const ids = new Set<string>();
    for (const batch of this.#batches) {
      if (batch.lane !== lane) continue;
      for (const delivery of batch.deliveries) if (delivery.ended !== "lost") ids.add(delivery.id);
    }
    return ids;
  }

  /** Entries that ownership must be kept of, lane by lane. */
  owned(): Map<Lane<Delivery>, Delivery[]> {
    const owned = new Map<Lane<Delivery>, Delivery[]>();
    for (const batch of this.#batches) {
      const list = owned.get(batch.lane) ?? [];
      for (const delivery of batch.deliveries) {
        if (delivery.ended !== "lost" && delivery.stage !== "done") list.push(delivery);
      }
      owned.set(batch.lane, list);
    }
    return owned;
  }

  /** How many of a lane's have their outcome, and the broker has not confirmed that it knows. */
  unconfirmed(lane: Lane<Delivery>): number {
    let count = 0;
    for (const batch of this.#batches) {
      if (batch.lane !== lane) continue;
      count += batch.open - batch.deliveries.filter(({ stage }) => stage !== "done").length;
    }
    return count;
  }

  /** Those of the owned that are in their handlers. */
  running(): Delivery[] {
    return [...this.owned().values()].flat().filter(({ stage }) => stage === "running");
  }

  /**
   * Somebody else claimed these: those not started are dropped, running ones are aborted and may not commit
   * (delivery 1).
   */
  lose(lane: Lane<Delivery>, ids: ReadonlySet<string>): number {
    let count = 0;
    for (const delivery of this.owned().get(lane) ?? []) {
      // One whose outcome is on its way may be gone by that very outcome; the broker's answer to it tells.
      if (!ids.has(delivery.id) || delivery.stage === "closing") continue;
      count++;
      if (delivery.stage === "waiting") this.drop(delivery);
      else delivery.end("lost", claimedByAnother(delivery));
    }
    this.changed.notify();
    return count;
  }

  /** Stops the clock of everything that waits; nothing is taken from the inbox afterwards. */
  close(): void {
    this.#retries.close();
  }

  #freeSuspect(delivery: Delivery): void {
    if (this.#suspect === delivery) this.#suspect = undefined;
  }
}

function claimedByAnother({ id, batch }: Delivery): ProteanError {
  return new ProteanError(
    `Entry ${id} of '${batch.lane.name}' was claimed by another consumer: its work is not committed here.`,
  );
}
