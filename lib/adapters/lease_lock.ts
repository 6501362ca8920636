/**
 * Locks that end by themselves unless their holder renews them, as their holder has them.
 *
 * The backend counts from when it was renewed, the holder from when it asked for that, on a clock that nobody
 * sets: so the holder knows first. A process that stood still for longer finds the signal aborted before it
 * does anything more, whichever of its callbacks runs first: looking at the signal looks at the clock.
 *
 * @module
 */
import { type Clock, elapsedMs, type Moment, momentOf } from "../async/clock.ts";
import { asError, ProteanError } from "../errors.ts";
import type { Lock } from "./ports.ts";

/** Part of the time for which the holder counts on it: the rest is for clocks that do not run alike. */
const COUNTED = 0.9;
/** Renewals in that time, and tries after one has failed. */
const RENEWALS = 4;
const TRIES = 16;

export interface LeaseParts {
  readonly name: string;
  readonly clock: Clock;
  /** How long the backend keeps it after a renewal. */
  readonly ttlMs: number;
  /** How often it is renewed, at most half of `ttlMs`. @default a quarter of it */
  readonly renewMs?: number | undefined;
  /** When it was asked for. */
  readonly since: Moment;
  /** How the backend counts the time since a moment. @default elapsedMs */
  readonly elapsed?: typeof elapsedMs;
  /** False: somebody else has it. Rejects where the backend does not answer. */
  readonly renew: () => Promise<boolean>;
  /** Gives it up where it is still this holder's. */
  readonly release: () => Promise<void>;
}

export class LeaseLock implements Lock {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly #parts: LeaseParts;
  readonly #lost = new AbortController();
  readonly #ended: () => void;
  #renewedAt: Moment;
  #cancelRenewal = () => {};
  #cancelExpiry = () => {};
  #ending: Promise<void> | undefined;

  /** `ended` is called once, when nothing of it is left. */
  constructor(parts: LeaseParts, ended: () => void) {
    this.name = parts.name;
    this.#parts = parts;
    this.#ended = ended;
    this.#renewedAt = parts.since;
    this.signal = looking(this.#lost.signal, () => this.#look());
    this.#renewIn(this.#renewMs);
    this.#expire();
  }

  /** It is not this holder's any more. Does nothing once it is over. */
  lose(reason: string): void {
    if (this.#ending) return;
    const { name } = this.#parts;
    void this.#end();
    this.#lost.abort(new ProteanError(`The lock '${name}' is lost: ${reason}.`, { code: "LOCK_LOST" }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }

  #end(): Promise<void> {
    return this.#ending ??= this.#giveUp();
  }

  async #giveUp(): Promise<void> {
    this.#cancelRenewal();
    this.#cancelExpiry();
    try {
      await this.#parts.release();
    } catch {
      // It ends by itself.
    } finally {
      this.#ended();
    }
  }

  #look(): void {
    if (this.#ending || this.#left() > 0) return;
    this.lose(`it could not be renewed within ${this.#parts.ttlMs / 1000} s`);
  }

  #expire(): void {
    this.#cancelExpiry = this.#parts.clock.after(this.#left(), () => {
      this.#look();
      if (!this.#ending) this.#expire();
    });
  }

  /** For how long, in ms, the holder may still count on it; not above 0: it may be another's. */
  #left(): number {
    const { clock, ttlMs, elapsed = elapsedMs } = this.#parts;
    return ttlMs * COUNTED - elapsed(clock, this.#renewedAt);
  }

  get #renewMs(): number {
    const { ttlMs, renewMs = ttlMs / RENEWALS } = this.#parts;
    return Math.min(renewMs, ttlMs / 2);
  }

  #renewIn(ms: number): void {
    this.#cancelRenewal = this.#parts.clock.after(ms, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { clock, ttlMs, renew } = this.#parts;
    // Whoever listens hears of it now: the backend may not answer, as after a machine was suspended.
    this.#look();
    if (this.#ending) return;
    const asked = momentOf(clock);
    let kept: boolean | undefined;
    try {
      kept = await renew();
    } catch {
      // The next one may be answered in time.
    }
    // What was confirmed too late may have been somebody else's in between.
    this.#look();
    if (this.#ending) return;
    if (kept === false) return this.lose("somebody else has it");
    if (kept) this.#renewedAt = asked;
    this.#renewIn(kept ? this.#renewMs : Math.min(this.#renewMs, ttlMs / TRIES));
  }
}

/** The locks that one adapter holds, so that closing it gives them up. */
export class HeldLocks {
  readonly #held = new Set<LeaseLock>();
  #closed = false;

  /** Holds a lock that the backend has just granted. */
  hold(parts: LeaseParts): LeaseLock {
    const lock = new LeaseLock(parts, () => this.#held.delete(lock));
    this.#held.add(lock);
    if (this.#closed) lock.lose(CLOSED);
    return lock;
  }

  /** Every lock is lost; resolves when they are released, as far as that is possible. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    const held = [...this.#held];
    for (const lock of held) lock.lose(CLOSED);
    await Promise.all(held.map((lock) => lock[Symbol.asyncDispose]()));
  }
}

const CLOSED = "its adapter was closed";

/** The same signal, which calls `look` before it tells whether it is aborted. */
function looking(signal: AbortSignal, look: () => void): AbortSignal {
  // The own property hides the one of the prototype, which is reached through a descriptor.
  const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")?.get;
  return Object.defineProperties(signal, {
    aborted: {
      get: () => {
        look();
        return aborted?.call(signal);
      },
    },
    throwIfAborted: {
      value: () => {
        if (signal.aborted) throw asError(signal.reason);
      },
    },
  });
}
