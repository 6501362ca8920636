/**
 * The letters of one queue, read page by page, the oldest first.
 *
 * @module
 */
import type { DeadLetters, StreamEntry } from "../adapters/ports.ts";
import { type DeadLetter, summarizeDeadLetter } from "../message/dead_letter.ts";

/** Entries of one queue that are read at once, and bytes of their texts. */
export const PAGE = 200;
export const PAGE_BYTES = 16 * 1024 * 1024;
/** What is read of a letter that is only counted or judged; its facts stand at its end, so all of it. */
const DEFAULT_LETTER_BYTES = 16 * 1024 * 1024;

/** A letter's facts, without its message. */
export interface Summary {
  /** Id on the dead-letter stream. */
  readonly id: string;
  readonly letter: DeadLetter;
}

/**
 * Yields pages of what stands behind `after`, until the end of the queue or until `signal` aborts. A page is
 * never empty. Of a text larger than `maxEntryBytes` no more than the beginning is read.
 */
export async function* entriesAfter(
  deadLetters: DeadLetters,
  stream: string,
  after: string | undefined,
  { maxEntryBytes, signal }: { readonly maxEntryBytes: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<readonly StreamEntry[]> {
  for (let cursor = after; !signal?.aborted;) {
    const page = await deadLetters.list(stream, {
      ...{ limit: PAGE, maxBytes: PAGE_BYTES, maxEntryBytes },
      ...(cursor !== undefined && { after: cursor }),
    });
    if (page.length === 0) return;
    yield page;
    cursor = page.at(-1)?.id;
  }
}

/** The same as letters. */
export async function* lettersAfter(
  deadLetters: DeadLetters,
  stream: string,
  after: string | undefined,
  signal?: AbortSignal,
): AsyncGenerator<readonly Summary[]> {
  const limits = { maxEntryBytes: DEFAULT_LETTER_BYTES, signal };
  for await (const page of entriesAfter(deadLetters, stream, after, limits)) {
    yield page.map(({ id, data }) => ({ id, letter: summarizeDeadLetter(data, { stream, id }) }));
  }
}

/** Epoch ms at which the broker took the entry. */
export function timeOfId(id: string): number {
  return Number(id.split("-", 1)[0]);
}
