/**
 * Several dead-letter streams as one list, the newest entries first, read from their ends backwards and no
 * further than is asked.
 *
 * The order is that of the ids, which the broker gave by one clock when the messages failed for good; entries
 * with the same id are in order of their category. A cursor is a place in this order, so it stays good while
 * entries come and go.
 *
 * @module
 */
import type { DeadLetterRange, DeadLetters, StreamEntry } from "../adapters/ports.ts";
import { compareIdTexts, idTextBehind, isStreamId } from "../adapters/stream_id.ts";
import { ProteanError } from "../errors.ts";
import { deadLetterStream } from "../message/names.ts";

/** An entry, and the stream category of the subscription that failed. */
export interface FoundEntry {
  readonly subscription: string;
  readonly entry: StreamEntry;
}

export interface NewestFirstOptions {
  /** Stream categories. */
  readonly subscriptions: readonly string[];
  /** Goes on behind the entry for which `cursorOf` returned this. */
  readonly cursor?: string | undefined;
  /** What of one stream is read, and kept in memory, at once. */
  readonly page: Pick<DeadLetterRange, "limit" | "maxBytes" | "maxEntryBytes">;
}

/** Where `cursor` goes on. */
interface Place {
  readonly id: string;
  readonly subscription: string;
}

/** The text by which a later list goes on behind `found`. */
export function cursorOf({ subscription, entry }: FoundEntry): string {
  return `${entry.id}@${subscription}`;
}

/** Yields every entry, the newest first. Throws `ProteanError` with the code `DLQ_BAD_CURSOR`. */
export async function* newestFirst(
  deadLetters: DeadLetters,
  { subscriptions, cursor, page }: NewestFirstOptions,
): AsyncGenerator<FoundEntry> {
  const place = cursor === undefined ? undefined : placeOf(cursor);
  const tails = subscriptions.map((subscription) => new Tail(deadLetters, subscription, page, place));
  await Promise.all(tails.map((tail) => tail.fill()));
  for (let newest = newestOf(tails); newest?.head; newest = newestOf(tails)) {
    yield { subscription: newest.subscription, entry: newest.head };
    newest.drop();
    if (!newest.head) await newest.fill();
  }
}

/** The unread end of one dead-letter stream. */
class Tail {
  readonly subscription: string;
  readonly #deadLetters: DeadLetters;
  readonly #page: NewestFirstOptions["page"];
  #entries: readonly StreamEntry[] = [];
  #next = 0;
  /** The entry to read on behind. */
  #after: string | undefined;
  #atBeginning = false;

  constructor(
    deadLetters: DeadLetters,
    subscription: string,
    page: NewestFirstOptions["page"],
    place: Place | undefined,
  ) {
    this.#deadLetters = deadLetters;
    this.subscription = subscription;
    this.#page = page;
    this.#after = place && startOf(place, subscription);
  }

  /** The newest entry that has not been dropped. Undefined: fill, or there is none. */
  get head(): StreamEntry | undefined {
    return this.#entries[this.#next];
  }

  drop(): void {
    this.#next++;
  }

  /** Reads the next page, unless the beginning of the stream has been reached. */
  async fill(): Promise<void> {
    if (this.#atBeginning) return;
    const after = this.#after;
    this.#entries = await this.#deadLetters.list(deadLetterStream(this.subscription), {
      direction: "backwards",
      ...this.#page,
      ...(after !== undefined && { after }),
    });
    this.#next = 0;
    this.#after = this.#entries.at(-1)?.id;
    // A page may be short for the sake of its bytes.
    this.#atBeginning = this.#entries.length === 0;
  }
}

function newestOf(tails: readonly Tail[]): Tail | undefined {
  let newest: Tail | undefined;
  for (const tail of tails) {
    if (!tail.head) continue;
    const order = newest?.head ? compareIdTexts(tail.head.id, newest.head.id) : 1;
    if (order > 0 || order === 0 && newest && tail.subscription < newest.subscription) newest = tail;
  }
  return newest;
}

function placeOf(cursor: string): Place {
  const [, id = "", subscription] = /^(\d+-\d+)@(.+)$/s.exec(cursor) ?? [];
  if (isStreamId(id) && subscription !== undefined) return { id, subscription };
  throw new ProteanError(
    `Cannot list dead letters behind the cursor '${cursor}': give one that a list has returned.`,
    { code: "DLQ_BAD_CURSOR" },
  );
}

/** Of entries with one id, those of categories that come later are still to be listed. */
function startOf({ id, subscription: last }: Place, subscription: string): string {
  return subscription > last ? idTextBehind(id) : id;
}
