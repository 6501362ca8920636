/**
 * What one consumer group of a stream in memory has read, what is pending, and who reads. Times are monotonic
 * milliseconds.
 *
 * @module
 */
import type {
  ClaimedEntry,
  GroupAges,
  GroupInfo,
  OwnConsumers,
  PendingEntry,
  Postponed,
  StreamEntry,
} from "../ports.ts";
import { compareStreamIds, formatStreamId, parseStreamId, type StreamId, ZERO_ID } from "../stream_id.ts";
import { entryOf, type StreamLog } from "./stream_log.ts";

/** An entry that was delivered and is not acknowledged. */
interface Delivery {
  consumer: string;
  /** Last delivery, claim or refresh. */
  at: number;
  /** Started attempts (delivery 2). */
  count: number;
  /** How often its handler wanted it again later, and when that is. */
  postponed?: { readonly times: number; readonly until: number } | undefined;
}

export class GroupState {
  readonly #log: StreamLog;
  readonly #name: string;
  /** By id. Deliveries happen in order of id, so the map's own order is that of ids. */
  readonly #pending = new Map<string, Delivery>();
  /** Name to the time of the last read or claim. */
  readonly #consumers = new Map<string, number>();
  #last: StreamId = ZERO_ID;

  constructor(name: string, log: StreamLog) {
    this.#name = name;
    this.#log = log;
  }

  /** The lowest id that this group still needs (delivery 8). */
  get needs(): StreamId {
    const [first] = this.#pending.keys();
    return (first === undefined ? undefined : parseStreamId(first)) ??
      { ms: this.#last.ms, n: this.#last.n + 1 };
  }

  get info(): GroupInfo {
    return {
      group: this.#name,
      length: this.#log.length,
      lag: this.#log.countAfter(this.#last),
      pending: this.#pending.size,
      consumers: this.#consumers.size,
      lastDeliveredId: formatStreamId(this.#last),
    };
  }

  get ages(): GroupAges {
    const [pending] = this.#pending.keys();
    return {
      undeliveredSince: this.#log.after(this.#last, 1)[0]?.key.ms,
      pendingSince: pending === undefined ? undefined : parseStreamId(pending)?.ms,
    };
  }

  /** Delivers the next entries. */
  read(consumer: string, count: number, now: number): readonly StreamEntry[] {
    this.#consumers.set(consumer, now);
    const entries = this.#log.after(this.#last, count);
    for (const { id } of entries) this.#pending.set(id, { consumer, at: now, count: 1 });
    this.#last = entries.at(-1)?.key ?? this.#last;
    return entries.map(entryOf);
  }

  /** Who has the entry pending, if anybody. */
  ownerOf(id: string): string | undefined {
    return this.#pending.get(id)?.consumer;
  }

  /** True if it was pending. */
  acknowledge(id: string): boolean {
    return this.#pending.delete(id);
  }

  /**
   * Resets the idle time to `idleMs` and returns the count, changed by `recount`. Undefined when `consumer`
   * does not own the entry; as in Redis, a delivery whose entry is gone leaves the pending list when touched.
   */
  touch(
    id: string,
    consumer: string,
    at: number,
    recount: (count: number) => number = (count) => count,
  ): number | undefined {
    const delivery = this.#pending.get(id);
    if (delivery?.consumer !== consumer) return undefined;
    if (!this.#log.get(id)) {
      this.#pending.delete(id);
      return undefined;
    }
    delivery.at = at;
    return delivery.count = recount(delivery.count);
  }

  /** Keeps that the handler wants the entry later. False: it is not `consumer`'s. */
  postpone(id: string, consumer: string, { times, ms }: Postponed, count: number, now: number): boolean {
    if (this.touch(id, consumer, now, () => count) === undefined) return false;
    const delivery = this.#pending.get(id);
    if (delivery) delivery.postponed = { times, until: now + ms };
    return true;
  }

  /** Takes one entry over from `from`, if that still owns it and it has been idle for `minIdleMs`. */
  claim(id: string, from: string, to: string, minIdleMs: number, now: number): ClaimedEntry | undefined {
    const delivery = this.#pending.get(id);
    if (delivery?.consumer !== from || now - delivery.at < minIdleMs) return undefined;
    const { count, postponed } = delivery;
    const entry = this.#log.get(id);
    if (!entry) {
      this.#pending.delete(id);
      return { id, data: undefined, count, trimmed: true };
    }
    this.#pending.set(id, { consumer: to, at: now, count, postponed });
    this.#consumers.set(to, now);
    const left = postponed && { times: postponed.times, ms: Math.max(0, postponed.until - now) };
    return { ...entryOf(entry), count, trimmed: false, ...(left && { postponed: left }) };
  }

  /** Pending entries after `after`, in order of id. */
  *list(after: StreamId, now: number): Iterable<PendingEntry> {
    for (const [id, { consumer, at, count }] of this.#pending) {
      if (compareStreamIds(parseStreamId(id) ?? ZERO_ID, after) <= 0) continue;
      yield { id, consumer, idleMs: now - at, count };
    }
  }

  /** Deletes a consumer; false if it has something pending. */
  retire(consumer: string): boolean {
    const busy = this.#busy().has(consumer);
    if (!busy) this.#consumers.delete(consumer);
    return !busy;
  }

  /**
   * Deletes those with nothing pending that were idle for `idleMs` or have names that begin with `ownPrefix`,
   * except `spare`; returns their names.
   */
  sweep(
    { spare, idleMs, own }: {
      readonly spare: string;
      readonly idleMs: number;
      readonly own?: OwnConsumers | undefined;
    },
    now: number,
  ): readonly string[] {
    const busy = this.#busy();
    const due = (name: string, seen: number) =>
      now - seen >= (own && name.startsWith(own.prefix) ? own.idleMs : idleMs);
    const gone = [...this.#consumers]
      .filter(([name, seen]) => name !== spare && !busy.has(name) && due(name, seen))
      .map(([name]) => name);
    for (const name of gone) this.#consumers.delete(name);
    return gone;
  }

  #busy(): ReadonlySet<string> {
    return new Set([...this.#pending.values()].map(({ consumer }) => consumer));
  }
}
