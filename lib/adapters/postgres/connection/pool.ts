/**
 * A pool with the rules of SQLAlchemy's QueuePool (POOL-1): at most `size` connections stay open when nobody
 * uses them, `maxOverflow` more are opened under load, a checkout beyond that waits its turn: fairly among
 * those who work through a backlog, so that none of them waits in vain. In one thing it differs: what was
 * opened beyond `size` is not closed the moment it comes back, but when nobody has wanted it for
 * `overflowIdleSeconds`. To open and close one for every piece of work costs more than the work.
 *
 * @module
 */
import { joined, onAbort } from "../../../async/abort.ts";
import { reconnectDelay } from "../../../async/backoff.ts";
import { type Clock, sleep } from "../../../async/clock.ts";
import { Turns } from "../../../async/turns.ts";
import { asError, PoolTimeoutError, ProviderUnavailableError } from "../../../errors.ts";
import type { PoolStats } from "../../ports.ts";

/** What a pool holds. */
export interface Member {
  /** On the clock's monotonic scale. */
  readonly openedAt: number;
  /** Cannot be used any more. */
  readonly lost: boolean;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<void>;
  destroy(why: string): void;
  /** Closes it politely. */
  close(): Promise<void>;
}

export interface PoolOptions<M extends Member> {
  /** For messages: the key in `domain.toml`. */
  readonly name: string;
  readonly clock: Clock;
  /** Kept open when idle; 0 is without limit, as in QueuePool. */
  readonly size: number;
  /** Beyond `size`; -1 is without limit. */
  readonly maxOverflow: number;
  /** How long a connection beyond `size` waits to be wanted again before it is closed; 0: not at all. */
  readonly overflowIdleSeconds: number;
  /** Older connections are replaced at the next checkout; -1 never. */
  readonly recycleSeconds: number;
  /** Longest wait for one to come free. */
  readonly timeoutSeconds: number;
  /** Whether an idle connection is asked for a sign of life before it is handed out. */
  readonly prePing: boolean;
  readonly open: (signal: AbortSignal | undefined) => Promise<M>;
  /** Rejects when the connection does not answer; bounded. */
  readonly ping: (member: M) => Promise<void>;
  /**
   * True for a refusal that passes by itself within moments, such as "too many connections" at start
   * (POOL-2).
   */
  readonly isPassing?: (error: unknown) => boolean;
  readonly random?: () => number;
}

/** A connection that was in use this recently is not asked for a sign of life. */
const FRESH_MS = 500;
/** A wait is over after so many looks at it; for takers of turns, those at which the line has not moved. */
const PARTS = 4;

/** A connection that was handed out. */
export interface Acquired<M> {
  readonly member: M;
  /** False for one that was opened just now. */
  readonly reused: boolean;
  /** It was idle for so long that it may be dead, and was not asked for a sign of life. */
  readonly silent: boolean;
}

interface Idle<M> {
  readonly member: M;
  readonly since: number;
}

/** Somebody who waits for a connection; `undefined` is the right to open one. */
type Waiter<M> = (granted: M | undefined | Error) => void;

export class Pool<M extends Member> {
  readonly #options: PoolOptions<M>;
  /** Longest idle first: they are used in turn, as QueuePool does. */
  readonly #idle: Idle<M>[] = [];
  /**
   * Those beyond `size`, longest idle first: the last one is used first, so that those that are not needed
   * grow old.
   */
  readonly #spare: Idle<M>[] = [];
  #cancelClosing: (() => void) | undefined;
  readonly #busy = new Set<M>();
  readonly #waiting = new Turns<Waiter<M>>();
  /** Everything not yet ended, for `close()`. */
  readonly #open = new Set<M>();
  readonly #closing = new AbortController();
  /** Rights in use: connections handed out or being opened. */
  #checkedOut = 0;
  /** How often a right was passed on. */
  #moves = 0;

  constructor(options: PoolOptions<M>) {
    this.#options = options;
  }

  /** Whoever wants a connection now has to wait for one to come free. */
  get exhausted(): boolean {
    const { size, maxOverflow } = this.#options;
    return size > 0 && maxOverflow >= 0 && this.#checkedOut >= size + maxOverflow;
  }

  get stats(): PoolStats {
    const { size } = this.#options;
    const [checkedOut, checkedIn] = [this.#checkedOut, this.#idle.length + this.#spare.length];
    const overflow = Math.max(0, checkedOut + checkedIn - size);
    const waiting = this.#waiting.size;
    return { size, checkedOut, overflow, checkedIn, ...(waiting > 0 && { waiting }) };
  }

  /**
   * Takes a connection. First come, first served; those who name a
   * `turn` take turns with each other, and wait for as long as the line moves (`SessionOptions`). Rejects with
   * `PoolTimeoutError`, with what `open` rejects with, or with the reason of `signal` when that aborts; with
   * one that has aborted already nobody waits, but an idle connection is had: the drain gives those who are
   * about to commit a moment for it. `sure`: also one that was just in use is asked for a sign of life; for
   * work that cannot simply be repeated on the next one.
   */
  async acquire(
    signal?: AbortSignal,
    { sure = false, turn }: { readonly sure?: boolean; readonly turn?: object | undefined } = {},
  ): Promise<Acquired<M>> {
    if (this.#closing.signal.aborted) throw this.#closed();
    const { clock, timeoutSeconds } = this.#options;
    const asked = clock.monotonic();
    const granted = await this.#seat(signal, turn);
    // Who has waited for a turn is not to be short of time when it comes.
    const deadline = (turn ? clock.monotonic() : asked) + timeoutSeconds * 1000;
    try {
      const passed = granted && this.#isYoung(granted) ? { member: granted, silent: false } : undefined;
      const kept = passed ?? await this.#takeIdle(sure ? -1 : FRESH_MS);
      const member = kept?.member ?? await this.#openOne(deadline, signal);
      if (this.#closing.signal.aborted) {
        member.destroy("the pool is closed");
        throw this.#closed();
      }
      this.#busy.add(member);
      return { member, reused: kept !== undefined, silent: kept?.silent ?? false };
    } catch (error) {
      this.#leaveSeat(undefined);
      throw error;
    }
  }

  /** Gives a connection back, in no transaction; a lost one makes room for a new one. */
  release(member: M): void {
    if (!this.#busy.delete(member)) return;
    if (this.#closing.signal.aborted) member.destroy("the pool is closed");
    this.#leaveSeat(member.lost ? undefined : member);
  }

  /** Closes what is idle politely and cuts what is in use; whoever waits is turned away. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const waiter of this.#waiting.clear()) waiter(this.#closed());
    for (const member of this.#busy) member.destroy("the pool is closed");
    this.#cancelClosing?.();
    const idle = [...this.#idle.splice(0), ...this.#spare.splice(0)];
    await Promise.all(idle.map(({ member }) => member.close()));
    await Promise.all([...this.#open].map((member) => member.ended));
  }

  /** The right to hold one connection, perhaps with the connection that somebody has just given back. */
  #seat(signal: AbortSignal | undefined, turn: object | undefined): Promise<M | undefined> {
    const { clock, timeoutSeconds } = this.#options;
    if (!this.exhausted) {
      this.#checkedOut++;
      return Promise.resolve(undefined);
    }
    if (signal?.aborted) return Promise.reject(asError(signal.reason));
    return new Promise((resolve, reject) => {
      const settle: Waiter<M> = (granted) => {
        this.#waiting.delete(settle, turn);
        cancel();
        listening[Symbol.dispose]();
        if (granted instanceof Error) reject(granted);
        else resolve(granted);
      };
      let [moves, still] = [this.#moves, 0];
      // Looked at in parts: an event loop that was busy has seen no more than one of them go by.
      const part = timeoutSeconds * 1000 / PARTS;
      const late = () => {
        still = turn && moves !== this.#moves ? 0 : still + 1;
        moves = this.#moves;
        if (still >= PARTS) settle(this.#timeout());
        else cancel = clock.after(part, late);
      };
      let cancel = clock.after(part, late);
      const listening = onAbort(signal, (reason) => settle(asError(reason)));
      this.#waiting.add(settle, turn);
    });
  }

  /** Passes the right on, to whoever is next. */
  #leaveSeat(member: M | undefined): void {
    const next = this.#waiting.take();
    if (next) {
      this.#moves++;
      next(member);
      return;
    }
    this.#checkedOut--;
    if (!member) return;
    const { size, clock } = this.#options;
    const since = clock.monotonic();
    if (size === 0 || this.#idle.length < size) this.#idle.push({ member, since });
    else {
      this.#spare.push({ member, since });
      this.#closeSpare();
    }
  }

  /** Closes what nobody has wanted for too long, and looks again when the next one may be. */
  #closeSpare(): void {
    const { clock, overflowIdleSeconds } = this.#options;
    const now = clock.monotonic();
    const ends = ({ since }: Idle<M>) => since + overflowIdleSeconds * 1000;
    while (this.#spare[0] && ends(this.#spare[0]) <= now) void this.#spare.shift()?.member.close();
    const [next] = this.#spare;
    if (!next || this.#cancelClosing) return;
    this.#cancelClosing = clock.after(ends(next) - now, () => {
      this.#cancelClosing = undefined;
      this.#closeSpare();
    });
  }

  /** An idle connection that is fit for use; those that are not go. */
  async #takeIdle(freshMs: number): Promise<{ readonly member: M; readonly silent: boolean } | undefined> {
    const { clock, prePing, ping } = this.#options;
    const next = () => this.#idle.shift() ?? this.#spare.pop();
    for (let idle = next(); idle; idle = next()) {
      const { member, since } = idle;
      if (member.lost || !this.#isYoung(member)) continue;
      const isFresh = clock.monotonic() - since <= freshMs;
      if (!prePing || isFresh) return { member, silent: !isFresh };
      try {
        await ping(member);
        return { member, silent: false };
      } catch {
        member.destroy("it did not answer a ping");
        // Whatever made this one silent has probably met its neighbours too; asking each would take too long.
        const others = [...this.#idle.splice(0), ...this.#spare.splice(0)];
        for (const { member: other } of others) void other.close();
      }
    }
    return undefined;
  }

  /** False, and on its way out, when it has lived for longer than `recycleSeconds`. */
  #isYoung(member: M): boolean {
    const { clock, recycleSeconds } = this.#options;
    if (recycleSeconds < 0 || clock.monotonic() - member.openedAt <= recycleSeconds * 1000) return true;
    void member.close();
    return false;
  }

  async #openOne(deadline: number, signal: AbortSignal | undefined): Promise<M> {
    const { open, clock, isPassing, random } = this.#options;
    using cut = joined(signal, this.#closing.signal);
    for (let attempt = 1;; attempt++) {
      signal?.throwIfAborted();
      try {
        const member = await open(cut.signal);
        this.#open.add(member);
        void member.ended.then(() => this.#forget(member));
        return member;
      } catch (error) {
        signal?.throwIfAborted();
        if (this.#closing.signal.aborted) throw this.#closed();
        const delay = reconnectDelay(attempt, random ?? Math.random);
        if (!isPassing?.(error) || clock.monotonic() + delay > deadline) throw error;
        await sleep(clock, delay, cut.signal);
      }
    }
  }

  #forget(member: M): void {
    this.#open.delete(member);
    for (const kept of [this.#idle, this.#spare]) {
      const index = kept.findIndex((idle) => idle.member === member);
      if (index >= 0) kept.splice(index, 1);
    }
  }

  #timeout(): PoolTimeoutError {
    const { name, timeoutSeconds } = this.#options;
    const { size, checkedOut, overflow, checkedIn } = this.stats;
    return new PoolTimeoutError(
      `No connection of pool '${name}' came free within ${timeoutSeconds} s (size ${size}, checked out ${checkedOut}, ` +
        `overflow ${overflow}, checked in ${checkedIn}, others waiting ${this.#waiting.size}): ` +
        "raise pool_size or max_overflow, or do less at a time.",
    );
  }

  #closed(): ProviderUnavailableError {
    return new ProviderUnavailableError(
      `The connections of database '${this.#options.name}' are closed: the domain is closed.`,
    );
  }
}
