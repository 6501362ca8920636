/**
 * The consumers of a group that are not of our making, which are Python's, and which of them live: they show
 * nothing but that they read. For what a shared group handles elsewhere (delivery 5).
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import type { Peer } from "./presence.ts";

/** Not seen for so long: not alive. Whoever has nothing to do reads every few seconds. */
const LIVE_MS = 30_000;
/** How long one look is good for. */
const LOOK_MS = 1_000;
/** The two clocks, and the way to the server, differ by this much at the most. */
const INEXACT_MS = 500;

/** One that is not of our making and lives, as far as a single look tells. */
export function isLiveOther({ unseenMs, idleMs }: Peer): boolean {
  return unseenMs === undefined && idleMs < LIVE_MS;
}

export class Others {
  readonly #look: () => Promise<readonly Peer[]>;
  readonly #clock: Clock;
  /** When each showed itself last, and when it was handed something, which Redis takes for a sign of life. */
  #seen = new Map<string, number>();
  readonly #handed = new Map<string, number>();
  #live: readonly string[] = [];
  #lookedAt = -Infinity;
  #turn = 0;

  constructor(look: () => Promise<readonly Peer[]>, clock: Clock) {
    this.#look = look;
    this.#clock = clock;
  }

  /** One that lives, each in its turn; undefined: there is none. */
  async next(): Promise<string | undefined> {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#remember(await this.#look());
      this.#lookedAt = now;
    }
    return this.#live[this.#turn++ % Math.max(1, this.#live.length)];
  }

  /** `consumer` was handed an entry, or is there no more. */
  handed(consumer: string, isThere: boolean): void {
    if (isThere) this.#handed.set(consumer, this.#clock.monotonic());
    else this.#lookedAt = -Infinity;
  }

  #remember(peers: readonly Peer[]): void {
    const now = this.#clock.monotonic();
    const seen = new Map<string, number>();
    for (const { name, unseenMs, idleMs } of peers) {
      if (unseenMs !== undefined) continue;
      const at = now - idleMs;
      const handed = this.#handed.get(name);
      const isOurDoing = handed !== undefined && at <= handed + INEXACT_MS;
      seen.set(name, isOurDoing ? this.#seen.get(name) ?? at : at);
    }
    this.#seen = seen;
    for (const name of this.#handed.keys()) if (!seen.has(name)) this.#handed.delete(name);
    this.#live = [...seen].filter(([, at]) => now - at < LIVE_MS).map(([name]) => name);
  }
}
