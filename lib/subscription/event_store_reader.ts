/**
 * Reads a category of the event store in order, as far as there is room for it, and keeps the position when
 * nothing more is there for a moment. It wakes up when something is appended.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseEventStore, StoredEvent } from "../adapters/ports.ts";
import { reconnectDelay } from "../async/backoff.ts";
import { sleep } from "../async/clock.ts";
import { Wakeup } from "../async/wakeup.ts";
import { asError } from "../errors.ts";
import type { WorkReporter } from "../status/work_health.ts";
import { admitSuspect } from "./admit_suspect.ts";
import type { Delivery } from "./delivery.ts";
import type { CategorySource } from "./event_store_source.ts";
import type { FailedPositions } from "./failed_positions.ts";
import type { GapWatch } from "./gap_watch.ts";
import { MOST_SIZE } from "./holdings.ts";
import type { Lane } from "./lane.ts";
import type { ReadPosition } from "./read_position.ts";
import type { ReadProgress } from "./read_progress.ts";
import type { SubscriptionScope } from "./scope.ts";
import { kindOfStored, storedEntry } from "./stored_message.ts";

const log = getLogger(["protean", "subscription"]);

/** Nothing more came for so long: the position is kept. */
const SETTLE_MS = 250;
/** So often it is looked where somebody tells of what is appended, and where nobody does. */
const LOOK_MS = 5_000;
const UNTOLD_LOOK_MS = 250;
/** So often it is looked whether a pause, or what has failed, lets something be read. */
const ROOM_MS = 500;

export interface StoreReaderParts {
  readonly scope: SubscriptionScope;
  readonly store: BaseEventStore;
  readonly category: string;
  readonly lane: Lane<Delivery>;
  readonly source: CategorySource;
  readonly progress: ReadProgress;
  readonly position: ReadPosition;
  readonly failures: FailedPositions;
  /** Absent: global positions that are missing mean nothing in this category. */
  readonly gaps: GapWatch | undefined;
  /** So many messages from the beginning may be what has killed the process before. */
  readonly suspects: number;
  readonly work: WorkReporter;
}

export class StoreReader {
  /** Monotonic time of the last completed turn of the loop (HLT-1). */
  lastTurn: number;
  /** True while the loop waits for room or for messages: then no turn is overdue. */
  paused = false;
  readonly #parts: StoreReaderParts;
  readonly #appended = new Wakeup();
  /** Global position up to which was read. */
  #cursor: number;
  #suspects: number;
  #begun = false;
  #isNew = false;
  #failures = 0;

  constructor(parts: StoreReaderParts) {
    this.#parts = parts;
    this.#cursor = parts.progress.position;
    this.#suspects = parts.suspects;
    this.lastTurn = parts.scope.clock.monotonic();
  }

  /** Reads until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, scope: { clock, random } } = this.#parts;
    const unwatch = store.watch(() => {
      this.#isNew = true;
      this.#appended.notify();
    });
    try {
      while (!signal.aborted) {
        await this.#room(signal);
        if (signal.aborted) return;
        try {
          this.#isNew = false;
          const waitMs = await this.#read(signal);
          this.#recovered();
          if (waitMs !== undefined) await this.#idle(waitMs, unwatch !== undefined, signal);
        } catch (error) {
          this.#failed(asError(error), signal);
          if (this.#failures > 0) await sleep(clock, reconnectDelay(this.#failures, random), signal);
        }
        this.lastTurn = clock.monotonic();
      }
    } finally {
      unwatch?.();
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    const { failures, scope: { inbox, settings, clock, pause } } = this.#parts;
    this.paused = true;
    const wait = () =>
      inbox.full || inbox.ready >= settings.messagesPerTick || failures.full || pause.readable(1) === 0;
    while (wait() && !signal.aborted) {
      await inbox.changed.wait({ signal, ...((pause.on || failures.full) && { clock, ms: ROOM_MS }) });
    }
    this.paused = false;
    this.lastTurn = clock.monotonic();
  }

  /** Returns undefined where there may be more, else how long may be waited for it. */
  async #read(signal: AbortSignal): Promise<number | undefined> {
    const { store, category, gaps, scope: { settings, clock, pause } } = this.#parts;
    const limit = Math.max(1, Math.min(settings.messagesPerTick, pause.readable(settings.messagesPerTick)));
    const from = Math.max(0, this.#cursor + 1);
    const read = await store.read(category, { from, limit, maxSize: MOST_SIZE });
    const { messages, position, waitMs } = gaps?.settle(read, this.#cursor, clock.monotonic()) ??
      { messages: read, position: read.at(-1)?.globalPosition ?? this.#cursor, waitMs: undefined };
    if (signal.aborted) return undefined;
    if (messages.length > 0) await this.#take(messages);
    this.#cursor = position;
    if (settings.tickIntervalSeconds > 0) await sleep(clock, settings.tickIntervalSeconds * 1000, signal);
    return messages.length > 0 ? undefined : waitMs ?? Infinity;
  }

  async #take(events: readonly StoredEvent[]): Promise<void> {
    const { source, progress, position, failures, lane, scope } = this.#parts;
    const judged = events.map((event) => ({ event, kind: kindOfStored(event) }));
    if (!this.#begun && judged.some(({ kind }) => kind === "message")) {
      await position.begin();
      this.#begun = true;
    }
    const suspects: StoredEvent[] = [];
    const others: StoredEvent[] = [];
    for (const { event, kind } of judged) {
      const { globalPosition } = event;
      if (kind === "message" && !failures.has(globalPosition)) {
        const isSuspect = this.#suspects > 0;
        if (isSuspect) this.#suspects--;
        (isSuspect ? suspects : others).push(event);
        source.begin(event, isSuspect);
      } else progress.pass(globalPosition, kind !== "record");
    }
    const claimed = suspects.map((event) => ({ ...storedEntry(event), count: 0 }));
    if (claimed.length > 0) scope.inbox.addClaimed(lane, claimed, admitSuspect(scope.inbox));
    if (others.length > 0) scope.inbox.addRead(lane, others.map(storedEntry));
  }

  /** Waits until something is appended, or for so long; keeps the position meanwhile. */
  async #idle(waitMs: number, isTold: boolean, signal: AbortSignal): Promise<void> {
    const { position, scope: { inbox, clock } } = this.#parts;
    const end = clock.monotonic() + Math.min(waitMs, isTold ? LOOK_MS : UNTOLD_LOOK_MS);
    this.paused = true;
    while (!signal.aborted && !this.#isNew) {
      const left = end - clock.monotonic();
      if (left <= 0) break;
      const isOpen = position.isBehind || inbox.unfinished > 0;
      await this.#appended.wait({ signal, clock, ms: isOpen ? Math.min(left, SETTLE_MS) : left });
      if (!this.#isNew && position.isBehind && inbox.unfinished === 0) await position.keep();
    }
    this.paused = false;
  }

  #recovered(): void {
    const { work, scope: { name } } = this.#parts;
    work.ok();
    if (this.#failures > 0) {
      log.info("subscription.reading_again", { subscription: name, attempts: this.#failures });
    }
    this.#failures = 0;
  }

  /** Logged once per transition, never once per try. */
  #failed(error: Error, signal: AbortSignal): void {
    if (signal.aborted) return;
    const { work, scope: { name } } = this.#parts;
    this.paused = false;
    work.unavailable(error.message);
    if (this.#failures++ === 0) {
      log.warn("subscription.read_failed", { subscription: name, error: error.message });
    }
  }
}
