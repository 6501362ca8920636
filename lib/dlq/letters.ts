/**
 * The letters of one queue, read page by page, the oldest first.
 *
 * @module
 */
import type { DeadLetters, StreamEntry } from "../adapters/ports.ts";
import { turn } from "../async/turn.ts";
import { type DeadLetter, summarizeDeadLetter } from "../message/dead_letter.ts";

/** Entries of one queue that are read at once, and bytes of their texts. */
export const PAGE = 200;
export const PAGE_BYTES = 16 * 1024 * 1024;

/** A letter's facts, without its message. */
export interface Summary {
  /** Id on the dead-letter stream. */
  readonly id: string;
  readonly letter: DeadLetter;
}

/** How letters are read. */
export interface Reading {
  /**
   * Of a larger text no more than the beginning is read. What a letter failed of stands at its end, so this is
   * what the largest letter of the domain has (`largestLetter`).
   */
  readonly maxEntryBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Yields pages of what stands behind `after`, until the end of the queue or until `signal` aborts. A page is
 * never empty.
 */
export async function* entriesAfter(
  deadLetters: DeadLetters,
  stream: string,
  after: string | undefined,
  { maxEntryBytes, signal }: Reading,
): AsyncGenerator<readonly StreamEntry[]> {
  for (let cursor = after; !signal?.aborted;) {
    const page = await deadLetters.list(stream, {
      ...{ limit: PAGE, maxBytes: PAGE_BYTES, maxEntryBytes },
      ...(cursor !== undefined && { after: cursor }),
    });
    if (page.length === 0) return;
    yield page;
    cursor = page.at(-1)?.id;
    // What is read from a file of this machine is there at once, however much it is.
    await turn();
  }
}

/** The same as letters. */
export async function* lettersAfter(
  deadLetters: DeadLetters,
  stream: string,
  after: string | undefined,
  reading: Reading,
): AsyncGenerator<readonly Summary[]> {
  for await (const page of entriesAfter(deadLetters, stream, after, reading)) {
    yield page.map(({ id, data }) => ({ id, letter: summarizeDeadLetter(data, { stream, id }) }));
  }
}

/** Epoch ms at which the broker took the entry. */
export function timeOfId(id: string): number {
  return Number(id.split("-", 1)[0]);
}
