/**
 * What a subscription has read or claimed and not finished: who is next, who waits for what, who is still
 * owned.
 *
 * @module
 */
import type { ClaimedEntry, Postponed, StreamEntry } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { ProteanError } from "../errors.ts";
import { Wakeup } from "../async/wakeup.ts";
import { type Batch, Delivery, moveTo } from "./delivery.ts";
import { bounded } from "./entry_size.ts";
import { Fifo } from "./fifo.ts";
import { Holdings, MOST_ASLEEP } from "./holdings.ts";
import type { Lane } from "./lane.ts";
import { OrderGate } from "./order_gate.ts";
import { TextShare } from "./text_share.ts";
import { RetrySchedule } from "./retry_schedule.ts";

/** As long as the longest ordinary retry waits by default. */
const LONG_MS = 60_000;

export class Inbox {
  /** Notified when there may be something to take, or room to read. */
  readonly changed = new Wakeup();
  readonly #clock: Clock;
  readonly #batches = new Set<Batch>();
  readonly #gate = new OrderGate<Delivery>();
  readonly #retries: RetrySchedule<Delivery>;
  readonly #ready = new Fifo<Delivery>();
  /** Read on the backfill lane: their turn comes when nothing else is there. */
  readonly #later = new Fifo<Delivery>();
  readonly #holdings: Holdings;
  readonly #unwatch: () => void;
  /** Released by the order gate, due again, or handed back by a drain. */
  readonly #resumed = new Fifo<Delivery>();
  /** They back off because their handlers want them later. */
  readonly #postponements = new Set<Delivery>();
  /** They run one at a time. */
  readonly #suspects: Delivery[] = [];
  #suspect: Delivery | undefined;
  #unfinished = 0;

  /** `room`: how many unfinished deliveries there may be before reading pauses (delivery 4). */
  constructor(clock: Clock, readonly room: number, share: TextShare = new TextShare()) {
    this.#clock = clock;
    this.#holdings = new Holdings(room / 2, share);
    this.#unwatch = share.watch(() => this.changed.notify());
    this.#retries = new RetrySchedule(clock, (delivery) => this.resume(delivery));
  }

  /** Deliveries whose outcome is open: queued, held, running, waiting. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /**
   * Of the unfinished, those that wait for more than another minute because their handler wants it so, and all
   * that is held behind them; and the partitions whose own next message waits so.
   */
  get postponed(): { readonly count: number; readonly partitions: readonly string[] } {
    const late = this.#clock.monotonic() + LONG_MS;
    let count = 0;
    const partitions: string[] = [];
    for (const { notBefore, key, batch: { lane } } of this.#postponements) {
      if (notBefore <= late) continue;
      count += 1 + this.#gate.waiting(key, this.#unfinished).length;
      if (lane.kind === "partition") partitions.push(lane.name);
    }
    return { count, partitions };
  }

  /**
   * Enough is held: nothing more should be read. What only waits, without its text, holds up nothing else.
   */
  get full(): boolean {
    return this.#filledTo(this.room);
  }

  /** So much is held that what others have left should not be taken over either. */
  get overfull(): boolean {
    return this.#filledTo(2 * this.room);
  }

  #filledTo(room: number): boolean {
    const { asleep, full } = this.#holdings;
    return this.#unfinished - asleep >= room || asleep >= MOST_ASLEEP || full;
  }

  /** Deliveries read and not yet looked at. */
  get ready(): number {
    return this.#ready.length;
  }

  /** The same, of what can wait. */
  get later(): number {
    return this.#later.length;
  }

  /** Takes in what was read; returns its deliveries. */
  addRead(lane: Lane<Delivery>, entries: readonly StreamEntry[]): readonly Delivery[] {
    const batch = this.#batchOf(lane, entries);
    this.#holdings.takeInAll(batch.deliveries);
    const queue = lane.kind === "backfill" ? this.#later : this.#ready;
    for (const delivery of batch.deliveries) queue.push(delivery);
    this.changed.notify();
    return batch.deliveries;
  }

  /**
   * Takes in what was claimed; `admit` finds the key of each and enters it, so that younger messages wait
   * behind it.
   */
  addClaimed(
    lane: Lane<Delivery>,
    entries: readonly (StreamEntry & Pick<ClaimedEntry, "count" | "postponed">)[],
    admit: (delivery: Delivery) => void,
  ): void {
    const batch = this.#batchOf(lane, entries, true);
    for (const delivery of batch.deliveries) {
      // Only with its text can its key be found.
      admit(delivery);
      this.#holdings.takeIn(delivery);
      if (delivery.stage === "held") this.#holdings.rest(delivery);
      if (delivery.stage === "queued") (delivery.suspect ? this.#suspects : this.#resumed).push(delivery);
    }
    this.changed.notify();
  }

  #batchOf(
    lane: Lane<Delivery>,
    entries: readonly (StreamEntry & Partial<Pick<ClaimedEntry, "count" | "postponed">>)[],
    recovered = false,
  ): Batch {
    const batch: Batch = { lane, deliveries: [], open: entries.length };
    for (const entry of entries) {
      const { id, data, tooLarge, omitted } = bounded(entry, lane.maxEntryBytes);
      const { postponed } = entry;
      const delivery = new Delivery(id, data, batch, recovered ? entry.count ?? 1 : 1, recovered);
      if (tooLarge) delivery.truncated = tooLarge;
      if (omitted !== undefined) delivery.parked = true;
      if (postponed) this.#postponed(delivery, postponed);
      batch.deliveries.push(delivery);
    }
    this.#batches.add(batch);
    this.#unfinished += entries.length;
    return batch;
  }

  /** Before it was ours its handler wanted it later. */
  #postponed(delivery: Delivery, { times, ms }: Postponed): void {
    delivery.attempts.postponed = times;
    delivery.notBefore = this.#clock.monotonic() + ms;
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

  /** As `take`, to be worked on with others: one that `fits`, if the next of any kind does. */
  takeFitting(fits: (delivery: Delivery) => boolean): Delivery | undefined {
    for (const queue of [this.#resumed, this.#ready, this.#later]) {
      for (let next = queue.next; next; next = queue.next) {
        if (next.ended !== "lost") {
          if (!fits(next)) break;
          return queue.shift();
        }
        queue.shift();
        this.drop(next);
      }
      // What can wait has its turn when there is nothing else.
      if (queue === this.#ready && queue.length > 0) return undefined;
    }
    return undefined;
  }

  /** As `take`, one that was just read. */
  takeRead(): Delivery | undefined {
    const next = () => this.#ready.shift() ?? this.#later.shift();
    for (let delivery = next(); delivery; delivery = next()) {
      if (delivery.ended !== "lost") return delivery;
      this.drop(delivery);
    }
    return undefined;
  }

  #next(): Delivery | undefined {
    if (!this.#suspect && this.#suspects.length > 0) return this.#suspect = this.#suspects.shift();
    return this.#resumed.shift() ?? this.#ready.shift() ?? this.#later.shift();
  }

  /** True: the delivery may run. False: it waits behind an earlier message of its stream. */
  enter(delivery: Delivery): boolean {
    if (delivery.inside) return true;
    delivery.inside = this.#gate.enter(delivery.key, delivery);
    if (!delivery.inside) {
      moveTo(delivery, "held");
      // One that is being taken in rests once it is.
      if (!delivery.attempts.recovered) this.#holdings.rest(delivery);
      // There is room to read on.
      this.changed.notify();
    }
    return delivery.inside;
  }

  /**
   * As `enter`, together with `mate`, the last one of its key that is inside. False: it waits behind others.
   */
  enterWith(mate: Delivery, delivery: Delivery): boolean {
    if (this.nextBehind(delivery.key)) return this.enter(delivery);
    this.#gate.join(delivery.key, mate, delivery);
    return delivery.inside = true;
  }

  /** Who waits first behind those of a key that are inside. */
  nextBehind(key: string): Delivery | undefined {
    return this.#gate.waiting(key, 1)[0];
  }

  /** Who waits first behind `mate` goes inside with it. */
  follow(mate: Delivery, delivery: Delivery): void {
    this.#gate.join(mate.key, mate, delivery);
    delivery.inside = true;
    this.#holdings.wake(delivery);
    moveTo(delivery, "queued");
  }

  /** Whether nobody who is inside comes before it. */
  leads(delivery: Delivery): boolean {
    return this.#gate.leads(delivery.key, delivery);
  }

  /**
   * Those of a batch that come to no outcome with it are taken again, in their order: one of each key next, the
   * others after it. No attempt is counted for what has been begun.
   */
  putBack(deliveries: readonly Delivery[]): void {
    const open = deliveries.filter(({ stage }) => stage !== "done");
    for (const delivery of open.toReversed()) {
      if (delivery.attempts.started) delivery.attempts.repeat();
      if (this.leads(delivery)) continue;
      delivery.inside = false;
      this.#gate.putBack(delivery.key, delivery);
      moveTo(delivery, "held");
      this.#holdings.rest(delivery);
    }
    for (const delivery of open) if (delivery.inside) this.resume(delivery);
  }

  /** The handler is about to be run. */
  start(delivery: Delivery): void {
    moveTo(delivery, "running");
    delivery.attempts.begin();
  }

  /**
   * The outcome is known, and the broker is about to be told: the handler is over, its place is kept until
   * `decide`.
   */
  closing(delivery: Delivery): void {
    moveTo(delivery, "closing");
  }

  /** Work that is no attempt is under way for it, which a drain waits for, and may cut. */
  attend(delivery: Delivery): void {
    moveTo(delivery, "running");
  }

  /** Those that wait next behind a delivery, at most `count`; none where no more texts should be held. */
  behind(delivery: Delivery, count: number): readonly Delivery[] {
    return this.#holdings.mayRest(1) ? this.#gate.waiting(delivery.key, count) : [];
  }

  /** The text of a parked delivery is here. */
  bring(delivery: Delivery, { data, tooLarge }: StreamEntry): void {
    if (delivery.stage === "done") return;
    delivery.truncated = tooLarge;
    this.#holdings.bring(delivery, data);
  }

  /** Tries again, as `defer`, a message that failed by itself: however many such wait, others are read. */
  backOff(delivery: Delivery, ms: number): void {
    this.rest(delivery);
    if (delivery.notBefore > this.#clock.monotonic()) this.#postponements.add(delivery);
    this.#retries.add(delivery, ms);
  }

  /** Tries the delivery again after `ms`; its stream waits meanwhile, everything else goes on (PIPE-3). */
  defer(delivery: Delivery, ms: number): void {
    this.suspend(delivery);
    this.#retries.add(delivery, ms);
  }

  /** Its stream waits until it is resumed. */
  suspend(delivery: Delivery): void {
    moveTo(delivery, "waiting");
    this.#holdings.pause(delivery);
    this.#freeSuspect(delivery);
    this.changed.notify();
  }

  /** As `suspend`, for long perhaps: however many such wait, others are read. */
  rest(delivery: Delivery): void {
    this.suspend(delivery);
    this.#holdings.rest(delivery);
  }

  /** A waiting delivery is to be worked on again. */
  resume(delivery: Delivery): void {
    if (delivery.stage === "done") return;
    this.#postponements.delete(delivery);
    this.#holdings.wake(delivery);
    moveTo(delivery, "queued");
    if (delivery.suspect && !delivery.attempts.started) this.#suspects.unshift(delivery);
    else this.#resumed.push(delivery);
    this.changed.notify();
  }

  /** The outcome is known; what is left is at most the acknowledgement. */
  decide(delivery: Delivery): void {
    if (delivery.stage === "done") return;
    moveTo(delivery, "done");
    this.#postponements.delete(delivery);
    this.#unfinished--;
    this.#holdings.wake(delivery);
    this.#freeSuspect(delivery);
    if (delivery.inside) {
      delivery.inside = false;
      const next = this.#gate.leave(delivery.key, delivery);
      if (next) {
        next.inside = true;
        this.resume(next);
      }
    }
    this.changed.notify();
  }

  /** The entry is no longer pending on us: acknowledged, dead-lettered or lost. */
  settle(delivery: Delivery): void {
    const { batch } = delivery;
    const paused = this.#holdings.full;
    this.#holdings.letGo(delivery);
    if (--batch.open === 0) this.#batches.delete(batch);
    // One that waits for long does not keep those that came with it.
    else if (batch.open * 8 <= batch.deliveries.length) {
      batch.deliveries = batch.deliveries.filter(({ over }) => !over);
    }
    if (paused) this.changed.notify();
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

  /** How many of the owned are in their handlers, and how many wait for another attempt. */
  get stages(): { readonly running: number; readonly waiting: number } {
    let [running, waiting] = [0, 0];
    for (const { deliveries } of this.#batches) {
      for (const { stage } of deliveries) {
        if (stage === "running") running++;
        else if (stage === "waiting") waiting++;
      }
    }
    return { running, waiting };
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
    this.#unwatch();
  }

  /** The subscription has ended: nothing of it is held any more. */
  letGo(): void {
    this.#holdings.close();
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
