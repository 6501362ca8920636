/**
 * Several dead-letter streams as one list, the newest entries first, read from their ends backwards and no
 * further than is asked.
 *
 * The order is that of the ids, which the broker gave by one clock when the messages failed for good; entries
 * with the same id are in order of their queue. A cursor is a place in this order, so it stays good while
 * entries come and go.
 *
 * @module
 */
import type { DeadLetterRange, DeadLetters, StreamEntry } from "../adapters/ports.ts";
import { compareIdTexts, idTextBehind, isStreamId } from "../adapters/stream_id.ts";
import { ProteanError } from "../errors.ts";

/** A dead-letter stream among those that are listed. */
export interface LetterQueue {
  /** Stream category of the subscriptions that fail into it. */
  readonly subscription: string;
  /** Its name at its broker. */
  readonly stream: string;
  /** Tells it from the others that are listed, and orders them. */
  readonly key: string;
  readonly deadLetters: DeadLetters;
}

/** An entry, and where it lies. */
export interface FoundEntry<Q extends LetterQueue = LetterQueue> {
  readonly queue: Q;
  readonly entry: StreamEntry;
}

export interface NewestFirstOptions<Q extends LetterQueue> {
  readonly queues: readonly Q[];
  /** Goes on behind the entry for which `cursorOf` returned this. */
  readonly cursor?: string | undefined;
  /** What of one stream is read, and kept in memory, at once. */
  readonly page: Pick<DeadLetterRange, "limit" | "maxBytes" | "maxEntryBytes">;
}

/** Where `cursor` goes on. */
interface Place {
  readonly id: string;
  readonly key: string;
}

/** The text by which a later list goes on behind `found`. */
export function cursorOf({ queue, entry }: FoundEntry): string {
  return `${entry.id}@${queue.key}`;
}

/** Yields every entry, the newest first. Throws `ProteanError` with the code `DLQ_BAD_CURSOR`. */
export async function* newestFirst<Q extends LetterQueue>(
  { queues, cursor, page }: NewestFirstOptions<Q>,
): AsyncGenerator<FoundEntry<Q>> {
  const place = cursor === undefined ? undefined : placeOf(cursor);
  const tails = queues.map((queue) => new Tail(queue, page, place));
  await Promise.all(tails.map((tail) => tail.fill()));
  for (let newest = newestOf(tails); newest?.head; newest = newestOf(tails)) {
    yield { queue: newest.queue, entry: newest.head };
    newest.drop();
    if (!newest.head) await newest.fill();
  }
}

/** The unread end of one dead-letter stream. */
class Tail<Q extends LetterQueue> {
  readonly queue: Q;
  readonly #page: NewestFirstOptions<LetterQueue>["page"];
  #entries: readonly StreamEntry[] = [];
  #next = 0;
  /** The entry to read on behind. */
  #after: string | undefined;
  #atBeginning = false;

  constructor(
    queue: Q,
    page: NewestFirstOptions<LetterQueue>["page"],
    place: Place | undefined,
  ) {
    this.queue = queue;
    this.#page = page;
    this.#after = place && startOf(place, queue.key);
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
    const { deadLetters, stream } = this.queue;
    this.#entries = await deadLetters.list(stream, {
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

function newestOf<Q extends LetterQueue>(tails: readonly Tail<Q>[]): Tail<Q> | undefined {
  let newest: Tail<Q> | undefined;
  for (const tail of tails) {
    if (!tail.head) continue;
    const order = newest?.head ? compareIdTexts(tail.head.id, newest.head.id) : 1;
    if (order > 0 || order === 0 && newest && tail.queue.key < newest.queue.key) newest = tail;
  }
  return newest;
}

function placeOf(cursor: string): Place {
  const [, id = "", key] = /^(\d+-\d+)@(.+)$/s.exec(cursor) ?? [];
  if (isStreamId(id) && key !== undefined) return { id, key };
  throw new ProteanError(
    `Cannot list dead letters behind the cursor '${cursor}': give one that a list has returned.`,
    { code: "DLQ_BAD_CURSOR" },
  );
}

/** Of entries with one id, those of queues that come later are still to be listed. */
function startOf({ id, key: last }: Place, key: string): string {
  return key > last ? idTextBehind(id) : id;
}
