/**
 * The started attempts of one delivery (delivery 2): how many the broker has counted, and what may follow.
 *
 * @module
 */

/** A read counts what it only queues: what is counted so often has been started. */
const STARTED_FOR_CERTAIN = 2;

export class Attempts {
  /**
   * The broker has counted the next start already: the read did, an outage ended the attempt that is repeated
   * now, or the end of the subscription came between the count and the start.
   */
  #counted: boolean;
  #started = false;
  /** The start that comes next is no retry of a failure. */
  #uncounted = false;
  #outages = 0;
  /** How often the handler wanted the message later, over all processes. */
  postponed = 0;

  constructor(
    /** As the pending list has it. */
    public count: number,
    /** Found in the pending list instead of read. */
    readonly recovered: boolean,
  ) {
    this.#counted = !recovered;
  }

  /** The handler was started at least once in this process. */
  get started(): boolean {
    return this.#started;
  }

  /** Failures for a backend while it worked for others. */
  get outages(): number {
    return this.#outages;
  }

  /** The start under way is its first one, and nobody else can have started it. */
  fresh = false;

  /** The next start is the one that the read has just counted: the broker need not be asked. */
  get first(): boolean {
    return !this.#started && !this.recovered;
  }

  /** The next start repeats a failed attempt. */
  get retries(): boolean {
    return this.#started && !this.#counted && !this.#uncounted;
  }

  /** The next start is counted already: that the entry is still ours is all there is to ask. */
  get counted(): boolean {
    return this.#counted;
  }

  /**
   * Whether one more start may be counted: what kills its process is not given to one process after the other
   * for ever.
   */
  mayCount(maxDeliveries: number): boolean {
    return this.#started || this.count < maxDeliveries;
  }

  /**
   * Whether it may have killed the processes that had it (delivery 23, D17). A count of 1 says no more than
   * that it was read; most of such entries were queued when their process died. They run like any other,
   * counted first, and those that were at work when this process dies as well are suspects from there on.
   * Before `maxDeliveries` is reached each has had one start as a suspect, so that no message is given up for
   * what another has done. What a drain handed back without a finished attempt is as good as new.
   */
  suspicious(maxDeliveries: number): boolean {
    return this.recovered && this.count > 0 && this.count >= Math.min(STARTED_FOR_CERTAIN, maxDeliveries - 1);
  }

  /** The broker has counted the start that comes next. */
  countedAs(count: number): void {
    this.count = count;
    this.#counted = true;
  }

  /** The reply to its read was lost: what the read counted is the start that is still to come. */
  neverHeardOf(): void {
    this.#counted = this.count === 1;
  }

  begin(): void {
    this.fresh = this.first;
    this.#started = true;
    this.#counted = false;
    this.#uncounted = false;
  }

  /** A backend that was away ended the attempt, while others succeeded: the next start repeats it. */
  outage(): void {
    this.#outages++;
    this.repeat();
  }

  /**
   * The handler wants the message later, which was no attempt; `kept`: the broker has taken it off its count.
   */
  postpone(kept: boolean): void {
    this.postponed++;
    if (!kept) return this.repeat();
    this.count = Math.max(0, this.count - 1);
    this.#counted = false;
    this.#uncounted = true;
  }

  /** Nothing came of the attempt, through no fault of the message: the next start repeats it. */
  repeat(): void {
    this.#counted = true;
  }

  /**
   * Attempts that ran to their end, where the handler is `running` now or is not: what the entry is released
   * with (delivery 7, PIPE-16).
   */
  finished(running: boolean): number {
    return running || this.#counted ? Math.max(0, this.count - 1) : this.count;
  }
}
