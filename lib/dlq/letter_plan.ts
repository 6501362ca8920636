/**
 * What an operation on dead letters needs to go on in another process: the queues with the last letter that each
 * held, how far it is in each, and what was under way.
 *
 * @module
 */
import type { DeadLetterFilter } from "../domain/dead_letters.ts";
import { ProteanError } from "../errors.ts";
import type { SentLetter } from "./canaries.ts";
import { aside, type LetterPlace } from "./places.ts";
import type { DeadLetterQueues } from "./queues.ts";
import type { Snapshot } from "./snapshot.ts";

/** One queue. */
export interface PlannedQueue {
  readonly stream: string;
  readonly broker: string;
  /** The last letter that is meant; absent: there was none. */
  readonly upper?: string | undefined;
  /** The last letter that was dealt with. */
  after?: string | undefined;
  over?: boolean;
}

/** Letters of one queue that are about to be changed: those that are gone from it were. */
export interface UnderWay {
  readonly queue: number;
  readonly ids: readonly string[];
  /** The whole queue, which had so many letters. */
  readonly whole?: number;
  /** Those of `ids` that may be sent first: what becomes of them is waited for. */
  readonly canaries?: readonly SentLetter[];
}

export interface LetterPlan {
  readonly queues: PlannedQueue[];
  underWay?: UnderWay | undefined;
  /** Sent first, and what became of them is not known yet. */
  canaries?: { readonly queue: number; readonly letter: SentLetter }[] | undefined;
  /** All of them were handled. */
  canariesOver?: boolean;
}

export function planOf(snapshots: readonly Snapshot[]): LetterPlan {
  return {
    queues: snapshots.map(({ place: { stream, broker }, upper }) => ({
      ...{ stream, broker: broker.name },
      ...(upper !== undefined && { upper }),
    })),
  };
}

/** The queues of a plan. Throws where the domain has one of them no longer. */
export function snapshotsOf(queues: DeadLetterQueues, { queues: planned }: LetterPlan): Snapshot[] {
  const known = queues.places({});
  const all: readonly LetterPlace[] = [...known, ...known.map(aside)];
  return planned.map(({ stream, broker, upper }) => {
    const place = all.find((place) => place.stream === stream && place.broker.name === broker);
    if (place) return { place, upper };
    throw new ProteanError(
      `The domain has no dead-letter queue '${stream}' on the broker '${broker}' any more: cancel the operation.`,
      { code: "DLQ_UNKNOWN_SUBSCRIPTION" },
    );
  });
}

const TIMES = new Set(["since", "until"]);

/** As it is kept: times as ISO 8601. */
export function filterTexts(filter: Readonly<DeadLetterFilter>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filter).map(([key, value]) => [key, value instanceof Date ? value.toISOString() : value]),
  );
}

export function filterFrom(texts: Readonly<Record<string, string>>): DeadLetterFilter {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, TIMES.has(key) ? new Date(text) : text]),
  );
}
