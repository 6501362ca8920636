/**
 * What queues held at a moment, read page by page: whoever works on it leaves alone what comes later, and so
 * never meets a letter again that has failed once more meanwhile (DLQ-5).
 *
 * @module
 */
import type { StreamEntry } from "../adapters/ports.ts";
import { compareIdTexts } from "../adapters/stream_id.ts";
import { notBefore } from "./filter.ts";
import type { DeadLetterFilter } from "../domain/dead_letters.ts";
import { entriesAfter } from "./letters.ts";
import type { LetterPlace } from "./places.ts";

/** A queue, and the last letter that it held. */
export interface Snapshot {
  readonly place: LetterPlace;
  /** Undefined: it was empty. */
  readonly upper: string | undefined;
  /** Those up to this one are left out. @default none */
  readonly after?: string | undefined;
}

/** Takes snapshots. Of a text larger than `largest` bytes no more than the beginning is read. */
export async function snapshotOf(places: readonly LetterPlace[], largest: number): Promise<Snapshot[]> {
  return await Promise.all(places.map(async (place) => {
    const [newest] = await place.deadLetters.list(place.stream, {
      ...{ direction: "backwards", limit: 1, maxEntryBytes: largest },
    });
    return { place, upper: newest?.id };
  }));
}

/**
 * Pages of the snapshot's entries, the oldest first, without those that `filter` cannot mean by their ids;
 * ends early once `signal` aborts. A page is never empty.
 */
export async function* entriesOf(
  { place: { deadLetters, stream }, upper, after: last }: Snapshot,
  filter: Pick<DeadLetterFilter, "id" | "since">,
  largest: number,
  signal?: AbortSignal,
): AsyncGenerator<readonly StreamEntry[]> {
  if (upper === undefined) return;
  if (filter.id !== undefined) {
    const entry = last === undefined ? await deadLetters.get(stream, filter.id, largest) : undefined;
    if (entry) yield [entry];
    return;
  }
  const earliest = notBefore(filter);
  const after = last ?? (earliest > 0 ? `${Math.floor(earliest)}-0` : undefined);
  for await (const page of entriesAfter(deadLetters, stream, after, { maxEntryBytes: largest, signal })) {
    const known = page.filter(({ id }) => compareIdTexts(id, upper) <= 0);
    if (known.length > 0) yield known;
    if (known.length < page.length) return;
  }
}
