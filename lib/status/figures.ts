/**
 * Counters by event: what a subscription or an outbox processor has done since its start, and the observer
 * behind them.
 *
 * @module
 */

/** Whoever else wants to hear. */
export interface Listener<E extends string> {
  happened(event: E, count: number): void;
}

export class Figures<E extends string> {
  /** Counted from 0 since the start. */
  readonly counts: Record<E, number>;

  constructor(events: readonly E[], private readonly listener?: Listener<E> | undefined) {
    this.counts = Object.fromEntries(events.map((event) => [event, 0])) as Record<E, number>;
  }

  happened(event: E, count = 1): void {
    this.counts[event] += count;
    this.listener?.happened(event, count);
  }
}
