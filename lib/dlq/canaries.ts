/**
 * The first letters of a replay, and what becomes of them: handled, or back in the queue (DLQ-5).
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import { replayLane } from "../message/names.ts";
import { summarizeDeadLetter } from "../message/dead_letter.ts";
import { lettersAfter } from "./letters.ts";
import type { LetterPlace } from "./places.ts";
import type { QueuedLetter } from "./queues.ts";
import type { Snapshot } from "./snapshot.ts";

/** Canaries of one replay: each is asked for every so often. */
export const MOST_CANARIES = 1_000;
/** How long letters are waited for: retries of a handler may take their time. */
export const CANARY_WAIT_MS = 15 * 60_000;
const POLL_MS = 200;
/** Entries of a replay lane among which a letter that was just put there is looked for. */
const MOST_LOOKED_AT = 10_000;
const LOOKED_AT_ONCE = 200;
const PAGE_BYTES = 16 * 1024 * 1024;

/** What is known of a letter that was sent. */
export interface SentLetter extends Pick<QueuedLetter, "id" | "subscription"> {
  readonly letter: Pick<
    QueuedLetter["letter"],
    "originalStream" | "originalId" | "consumerGroup" | "replayCount"
  >;
}

export function sentLetter({ id, subscription, letter }: SentLetter): SentLetter {
  const { originalStream, originalId, consumerGroup, replayCount } = letter;
  return { id, subscription, letter: { originalStream, originalId, consumerGroup, replayCount } };
}

/** A letter that was replayed as one of the first. */
interface Canary {
  readonly letter: SentLetter;
  readonly place: LetterPlace;
  /** Its entry in the replay lane; undefined: it has left it. */
  lane?: { readonly stream: string; readonly id: string } | undefined;
}

/** What became of them. */
export interface Fates {
  /** Ids of those that failed again. */
  readonly returned: readonly string[];
  /** Ids of those that nobody has finished in time. */
  readonly waiting: readonly string[];
}

export class Canaries {
  readonly #all: Canary[] = [];
  readonly #queues: readonly { readonly place: LetterPlace; after: string }[];
  readonly #clock: Clock;
  readonly #maxEntryBytes: number;
  /** Of letters that have come into the queues since the snapshot. */
  readonly #cameBack = new Map<string, number>();

  /** `maxEntryBytes`: see `Reading`. */
  constructor(snapshots: readonly Snapshot[], maxEntryBytes: number, clock: Clock) {
    this.#maxEntryBytes = maxEntryBytes;
    this.#queues = snapshots.map(({ place, upper }) => ({ place, after: upper ?? "0-0" }));
    this.#clock = clock;
  }

  get size(): number {
    return this.#all.length;
  }

  /** Has been put into the replay lane of its group. */
  add(place: LetterPlace, letter: SentLetter): void {
    this.#all.push({ place, letter });
  }

  /** Waits until all are handled or back, no longer than 15 minutes, or until `signal` aborts. */
  async fates(signal: AbortSignal | undefined): Promise<Fates> {
    for (const [lane, own] of Map.groupBy(this.#all, laneOf)) await findInLane(lane, own);
    const began = this.#clock.monotonic();
    let waiting = this.#all;
    while (true) {
      waiting = await stillInLane(waiting);
      // A letter leaves the lane and comes into the queue in one step, so who has left the lane is there.
      await this.#lookAtQueues();
      const over = this.#clock.monotonic() - began >= CANARY_WAIT_MS;
      if (waiting.length === 0 || over || signal?.aborted) break;
      if (this.#all.some((canary) => this.#hasReturned(canary))) break;
      await sleep(this.#clock, POLL_MS, signal);
    }
    const returned = this.#all.filter((canary) => this.#hasReturned(canary));
    return {
      returned: returned.map(({ letter: { id } }) => id),
      waiting: waiting.filter((canary) => !returned.includes(canary)).map(({ letter: { id } }) => id),
    };
  }

  async #lookAtQueues(): Promise<void> {
    const keys = new Set(this.#all.map(({ letter }) => keyOf(letter.letter)));
    for (const queue of this.#queues) {
      const { deadLetters, stream } = queue.place;
      const reading = { maxEntryBytes: this.#maxEntryBytes };
      for await (const page of lettersAfter(deadLetters, stream, queue.after, reading)) {
        for (const { letter } of page) {
          const key = keyOf(letter);
          // No more is remembered than what is waited for.
          if (!keys.has(key)) continue;
          this.#cameBack.set(key, Math.max(letter.replayCount, this.#cameBack.get(key) ?? 0));
        }
        queue.after = page.at(-1)?.id ?? queue.after;
      }
    }
  }

  #hasReturned({ letter: { letter } }: Canary): boolean {
    return (this.#cameBack.get(keyOf(letter)) ?? -1) > letter.replayCount;
  }
}

function laneOf({ letter: { subscription, letter } }: Canary): string {
  return replayLane(subscription, letter.consumerGroup);
}

/** Notes the entries of these canaries, which lie at the end of their lane; who is not there has left it. */
async function findInLane(stream: string, canaries: readonly Canary[]): Promise<void> {
  const missing = new Map(canaries.map((canary) => [keyOf(canary.letter.letter), canary]));
  const deadLetters = canaries[0]?.place.deadLetters;
  let after: string | undefined;
  for (let lookedAt = 0; deadLetters && missing.size > 0 && lookedAt < MOST_LOOKED_AT;) {
    const page = await deadLetters.list(stream, {
      ...{ direction: "backwards", limit: LOOKED_AT_ONCE, maxBytes: PAGE_BYTES },
      ...(after !== undefined && { after }),
    });
    if (page.length === 0) return;
    for (const { id, data } of page) {
      const key = keyOf(summarizeDeadLetter(data, { stream, id }));
      const canary = missing.get(key);
      if (canary) canary.lane = { stream, id };
      missing.delete(key);
    }
    lookedAt += page.length;
    after = page.at(-1)?.id;
  }
}

async function stillInLane(canaries: readonly Canary[]): Promise<Canary[]> {
  const there = await Promise.all(
    canaries.map(async ({ place, lane }) =>
      lane !== undefined && await place.deadLetters.get(lane.stream, lane.id, 1) !== undefined
    ),
  );
  return canaries.filter((_, at) => there[at]);
}

/** What a letter keeps when it fails again. */
function keyOf(
  { originalStream, originalId, consumerGroup }: SentLetter["letter"],
): string {
  return JSON.stringify([originalStream, originalId, consumerGroup]);
}
