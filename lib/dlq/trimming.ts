/**
 * Trims one queue: the whole of it by the longest retention that somebody asks for, and beyond that the
 * letters of those who keep theirs for less (DLQ-1, DLQ-2, delivery 20).
 *
 * Letters lie in the order in which they were written, so what a shorter retention lets go next stands behind
 * what it has let go before: each rule reads on from where it stopped, and nobody reads the queue again.
 *
 * @module
 */
import type { DeadLetters } from "../adapters/ports.ts";
import { lettersAfter, timeOfId } from "./letters.ts";
import {
  type HandlerRule,
  longestRetention,
  ruleOf,
  shorterRules,
  type WatchedQueue,
} from "./watched_queue.ts";

export const HOUR_MS = 3_600_000;
/** Entries that go at once, so that nobody waits for a broker that trims. */
const STEP = 10_000;

export class QueueTrimmer {
  readonly #deadLetters: DeadLetters;
  readonly #queue: WatchedQueue;
  readonly #shorter: readonly HandlerRule[];
  /** By rule: the last letter that was looked at; what stands before it is settled. */
  readonly #lookedAt = new Map<HandlerRule, string>();

  readonly #maxEntryBytes: number;

  /** `maxEntryBytes`: see `Reading`. */
  constructor(deadLetters: DeadLetters, queue: WatchedQueue, maxEntryBytes: number) {
    this.#deadLetters = deadLetters;
    this.#queue = queue;
    this.#maxEntryBytes = maxEntryBytes;
    this.#shorter = shorterRules(queue);
  }

  /** Removes what is past its retention at `now`, epoch ms on the broker's clock; returns how many went. */
  async trim(now: number, signal: AbortSignal): Promise<number> {
    const before = now - longestRetention(this.#queue) * HOUR_MS;
    let trimmed = await trimOlder(this.#deadLetters, this.#queue.stream, before, signal);
    for (const rule of this.#shorter) {
      trimmed += await this.#trimRule(rule, now - rule.retentionHours * HOUR_MS, signal);
    }
    return trimmed;
  }

  async #trimRule(rule: HandlerRule, before: number, signal: AbortSignal): Promise<number> {
    const { stream, rules } = this.#queue;
    let trimmed = 0;
    const reading = { maxEntryBytes: this.#maxEntryBytes, signal };
    for await (
      const page of lettersAfter(this.#deadLetters, stream, this.#lookedAt.get(rule), reading)
    ) {
      const past = page.filter(({ id }) => timeOfId(id) < before);
      const ids = past.filter(({ letter }) => ruleOf(letter, rules) === rule).map(({ id }) => id);
      if (ids.length > 0) trimmed += await this.#deadLetters.remove(stream, ids);
      // Not before they are gone: what failed is looked at again.
      const last = past.at(-1);
      if (last) this.#lookedAt.set(rule, last.id);
      if (past.length < page.length) break;
    }
    return trimmed;
  }
}

/** Removes every entry whose id was given before `before`, epoch ms on the broker's clock; returns how many. */
export async function trimOlder(
  deadLetters: DeadLetters,
  stream: string,
  before: number,
  signal: AbortSignal,
): Promise<number> {
  let trimmed = 0;
  for (let gone = STEP; gone >= STEP && before > 0 && !signal.aborted;) {
    gone = await deadLetters.trimBefore(stream, before, STEP);
    trimmed += gone;
  }
  return trimmed;
}
