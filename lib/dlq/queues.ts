/**
 * Dead letters as operators handle them: found by subscription and handler, inspected, replayed to the one
 * group that failed, purged (wire 8.6, delivery 19, DLQ-5).
 *
 * @module
 */
import type { BaseBroker, ReplayedToOther, StreamEntry } from "../adapters/ports.ts";
import { didYouMean } from "../config/nearest.ts";
import type { DeadLetterFilter } from "../domain/dead_letters.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { MAIN_BROKER, subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { NotSupportedError, ProteanError, UnhandledMessageError } from "../errors.ts";
import {
  type DeadLetter,
  largestLetter,
  parseDeadLetter,
  summarizeDeadLetter,
} from "../message/dead_letter.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { replayLane } from "../message/names.ts";
import { isSelective, matches, notBefore } from "./filter.ts";
import { PAGE, PAGE_BYTES, timeOfId } from "./letters.ts";
import { cursorOf, type FoundEntry, newestFirst } from "./newest_first.ts";
import { withStatus } from "../subscription/settings/status_runtime.ts";
import { aside, type LetterPlace, placesOf, type Subscribed, subscribed } from "./places.ts";
import { entriesOf, type Snapshot, snapshotOf } from "./snapshot.ts";

/**
 * Entries that one list looks at, so that a filter which few letters match does not read queues of a million
 * to their ends.
 */
const MOST_LOOKED_AT = 10_000;
/** Bytes of texts that a page of one queue may have at least, however many queues are listed together. */
const LEAST_PAGE_BYTES = 64 * 1024;
/** Letters in one list, where nobody says how many. */
const LIST_LIMIT = 100;

/** A dead letter and where it lies. */
export interface QueuedLetter {
  /** Id on the dead-letter stream; what operators name it by. */
  readonly id: string;
  /** `my_domain::order:dlq`. */
  readonly queue: string;
  /** Stream category of the subscription that failed: `my_domain::order`. */
  readonly subscription: string;
  /** Name of the broker that holds it; absent: that of the domain's own messages. */
  readonly broker?: string;
  readonly letter: DeadLetter;
}

/** Which dead letters are meant; all of the domain's when empty. */
export type LetterFilter = Readonly<DeadLetterFilter>;

/** Which letters to list. */
export interface ListOptions extends LetterFilter {
  /** Most letters, at least 1. @default 100 */
  readonly limit?: number;
  /** Goes on behind an earlier list: its `cursor`. */
  readonly cursor?: string | undefined;
  /** Those that were discarded instead. @default false */
  readonly discarded?: boolean;
}

/** One page of a list. */
export interface LetterPage {
  /** The newest first. Without their messages, which may be large: `find` brings one with its own. */
  readonly entries: readonly QueuedLetter[];
  /**
   * Given where there may be more: always when `limit` ended the page, and when the filter let few of the
   * letters looked at through, so that `entries` may be short or empty.
   */
  readonly cursor: string | undefined;
}

/** An entry of a dead-letter stream, and what it says. */
export interface FoundLetter {
  readonly entry: StreamEntry;
  /** Without its message. */
  readonly letter: QueuedLetter;
}

/** What became of a replay. */
export type ReplayOutcome =
  /** In the replay lane of the group that failed, and nowhere else. */
  | "replayed"
  /** Somebody else replayed or purged it first. */
  | "gone";

/** The end of a sentence that begins with the group. */
const WHY_NOT: Readonly<Record<Exclude<ReplayedToOther, ReplayOutcome>, string>> = {
  nobody:
    "no Python worker of that group is there to take it, so start one, replay it with the domain that runs the " +
    "group, or with --to-all-groups to every group",
  trimmed: "the stream holds the original no longer, so only --to-all-groups brings it back, to every group",
  unread: "that group has not read the original yet, and will by itself",
  pending: "the original is pending in that group, which will try it again by itself",
};

/** The dead-letter queues of one domain. */
export class DeadLetterQueues {
  readonly #subscribed: Subscribed;
  /** Bytes: of a larger text than any dead letter of ours has, no more than the beginning is read. */
  readonly largest: number;
  /** That of the domain's own messages, which keeps its operations. */
  readonly broker: BaseBroker;

  /** `maxReceivedBytes`: of the domain's subscriptions; `further`: what they do not all have from `broker`. */
  constructor(
    broker: BaseBroker,
    runners: readonly HandlerRunner[],
    maxReceivedBytes: number = MAX_MESSAGE_BYTES,
    further: Partial<Subscribed> = {},
  ) {
    this.broker = broker;
    this.#subscribed = { runners, brokerOf: () => broker, lanes: undefined, ...further };
    this.largest = largestLetter(maxReceivedBytes);
  }

  /** Those of a domain, on the brokers that its subscriptions read from. */
  static of(runtime: DomainRuntime): DeadLetterQueues {
    const { max_received_bytes: most } = runtime.config.config.server;
    return new DeadLetterQueues(
      subscriptionBroker(runtime),
      runtime.runners,
      most,
      subscribed(withStatus(runtime)),
    );
  }

  /**
   * A page of letters over all queues, in the order in which they were dead-lettered, the newest first.
   * However long the queues are, it reads little more than `limit` entries of each; with a filter that looks
   * at letters, little more than 10,000 of all.
   */
  async list(options: ListOptions = {}): Promise<LetterPage> {
    const { limit = LIST_LIMIT, cursor } = options;
    const entries: QueuedLetter[] = [];
    const places = options.discarded ? this.places(options).map(aside) : this.places(options);
    const found = newestFirst({
      queues: places,
      cursor,
      // The one beyond the limit tells whether there is another page.
      page: {
        limit: isSelective(options) ? PAGE : Math.min(limit + 1, PAGE),
        // A page of each is in memory at once.
        maxBytes: Math.max(LEAST_PAGE_BYTES, Math.floor(PAGE_BYTES / places.length)),
        maxEntryBytes: this.largest,
      },
    });
    let lookedAt = 0;
    let last: FoundEntry<LetterPlace> | undefined;
    const earliest = notBefore(options);
    for await (const next of found) {
      if (timeOfId(next.entry.id) < earliest) break;
      if (last && (entries.length >= limit || lookedAt >= MOST_LOOKED_AT)) {
        return { entries, cursor: cursorOf(last) };
      }
      const letter = summarized(next.queue, next.entry);
      if (matches(letter, options, this.runners)) entries.push(letter);
      last = next;
      lookedAt++;
    }
    return { entries, cursor: undefined };
  }

  /**
   * The letter called `id`. Throws `ProteanError` with the code `DLQ_NOT_FOUND` or, when several queues hold
   * that id, `DLQ_AMBIGUOUS`.
   */
  async find(id: string, filter: LetterFilter): Promise<QueuedLetter> {
    const found: QueuedLetter[] = [];
    for (const place of this.places(filter)) {
      const entry = await place.deadLetters.get(place.stream, id, this.largest);
      const letter = entry && queued(place, entry);
      if (letter && matches(letter, filter, this.runners)) found.push(letter);
    }
    const [only, ...others] = found;
    if (!only) throw new ProteanError(`DLQ message '${id}' not found.`, { code: "DLQ_NOT_FOUND" });
    if (others.length === 0) return only;
    throw new ProteanError(
      `Several queues hold a message '${id}': choose one with --subscription (${
        found.map(({ subscription }) => subscription).join(", ")
      }).`,
      { code: "DLQ_AMBIGUOUS" },
    );
  }

  /**
   * Moves a letter to the replay lane of the group that failed: in one atomic step of the broker, so that two
   * replays at once replay once. A group that only another program runs, as Python does, is given the
   * original entry again, as long as the stream holds it. Throws `ProteanError` with the code
   * `DLQ_FOREIGN_GROUP` when neither can be, when the handler reads the event store by now, or when only groups
   * of `ours` are to be replayed to, and `DLQ_TRUNCATED` where the message is not there whole.
   */
  async replay(
    { id, queue, subscription, broker: name = MAIN_BROKER, letter }: QueuedLetter,
    how: { readonly ours?: boolean } = {},
  ): Promise<ReplayOutcome> {
    if (letter.truncatedBytes !== undefined) throw truncated({ id, letter });
    const group = letter.consumerGroup;
    const { runners, brokerOf, readsEventStore } = this.#subscribed;
    const place = this.#placeOf(queue, name);
    if (!place) return "gone";
    const reader = runners.find((runner) =>
      runner.group === group && runner.categories.includes(subscription) && brokerOf(runner) === place.broker
    );
    // Its lane would take the letter, and nobody would read that.
    const elsewhere = reader && readsEventStore?.(reader, subscription);
    const ours = reader !== undefined && !elsewhere;
    const watched = how.ours ?? false;
    if (watched && !ours && !elsewhere) {
      throw new ProteanError(
        `DLQ message '${id}' failed in the group '${group}' of another program, whose work cannot be watched: ` +
          "replay it without a canary.",
        { code: "DLQ_FOREIGN_GROUP" },
      );
    }
    // What we do not handle in a shared group is for the other program, if it is there now.
    if (!ours || letter.errorType === UnhandledMessageError.name && !watched) {
      const outcome = watched ? "nobody" : await toOther(place, id, letter);
      if (outcome === "replayed" || outcome === "gone") return outcome;
      if (elsewhere) {
        throw new ProteanError(
          `DLQ message '${id}' cannot be replayed: ${reader.name} reads '${subscription}' from the event store by now ` +
            "and no longer the stream that it failed on, so let it read the stream for the replay, or purge the message.",
          { code: "DLQ_FOREIGN_GROUP" },
        );
      }
      if (!ours) {
        throw new ProteanError(
          `DLQ message '${id}' failed in the group '${group}', which this domain does not run on '${subscription}': ${
            WHY_NOT[outcome]
          }.`,
          { code: "DLQ_FOREIGN_GROUP" },
        );
      }
    }
    const lane = replayLane(subscription, group);
    return await place.deadLetters.replay(queue, id, lane, group) ? "replayed" : "gone";
  }

  /** The letter with its message; undefined where it is there no longer. */
  async whole({ id, queue, broker = MAIN_BROKER }: QueuedLetter): Promise<QueuedLetter | undefined> {
    const place = this.#placeOf(queue, broker);
    const entry = await place?.deadLetters.get(queue, id, this.largest);
    return place && entry && queued(place, entry);
  }

  /** Where a list goes on behind a letter that one has returned. */
  cursorOf({ id, queue, broker = MAIN_BROKER }: QueuedLetter): string | undefined {
    const place = this.#placeOf(queue, broker);
    return place && cursorOf({ queue: place, entry: { id, data: undefined } });
  }

  #placeOf(queue: string, name: string): LetterPlace | undefined {
    return placesOf(this.#subscribed, this.runners).find(({ stream, broker }) =>
      stream === queue && broker.name === name
    );
  }

  /** How many letters there are of those that are meant. */
  async count(filter: LetterFilter): Promise<number> {
    return await this.countIn(await this.snapshot(this.places(filter)), filter);
  }

  /** As `count`, of those that the queues held when the snapshot was taken. */
  async countIn(
    snapshots: readonly Snapshot[],
    filter: LetterFilter,
    signal?: AbortSignal,
  ): Promise<number> {
    let count = 0;
    for (const snapshot of snapshots) {
      if (!isSelective(filter)) count += await snapshot.place.deadLetters.depth(snapshot.place.stream);
      else for await (const page of this.pages(snapshot, filter, signal)) count += page.length;
    }
    return count;
  }

  /** What these queues hold now. */
  async snapshot(places: readonly LetterPlace[]): Promise<readonly Snapshot[]> {
    return await snapshotOf(places, this.largest);
  }

  /** The letters of a snapshot that are meant, the oldest first, as entries with what they say. */
  async *pages(
    snapshot: Snapshot,
    filter: LetterFilter,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly FoundLetter[]> {
    for await (const entries of entriesOf(snapshot, filter, this.largest, signal)) {
      const found = entries.map((entry) => ({ entry, letter: summarized(snapshot.place, entry) }))
        .filter(({ letter }) => matches(letter, filter, this.runners));
      if (found.length > 0) yield found;
    }
  }

  /** The handlers of the domain. */
  get runners(): readonly HandlerRunner[] {
    return this.#subscribed.runners;
  }

  /**
   * The queues that may hold letters that are meant. Throws `ProteanError` when no subscription reads that
   * category or no handler has that name, and `NotSupportedError` when the brokers of those keep no dead letters.
   */
  places({ subscription, handler }: LetterFilter): readonly LetterPlace[] {
    const { runners: all } = this.#subscribed;
    if (handler !== undefined && !all.some(({ name }) => name === handler)) {
      const names = all.map(({ name }) => name);
      throw new ProteanError(`No handler is called '${handler}'.${didYouMean(handler, names)}`, {
        code: "DLQ_UNKNOWN_HANDLER",
      });
    }
    const runners = all.filter(({ name }) => handler === undefined || name === handler);
    const places = placesOf(this.#subscribed, runners);
    if (subscription === undefined) {
      this.#assertKept(places, runners);
      return places;
    }
    const wanted = places.filter((place) => place.subscription === subscription);
    const readers = runners.filter(({ categories }) => categories.includes(subscription));
    this.#assertKept(wanted, readers);
    if (readers.length > 0) return wanted;
    const categories = [...new Set(runners.flatMap((runner) => runner.categories))];
    throw new ProteanError(
      `No subscription found for stream category '${subscription}'.${didYouMean(subscription, categories)}`,
      { code: "DLQ_UNKNOWN_SUBSCRIPTION" },
    );
  }

  /** Throws `NotSupportedError` where handlers have no queue, because their brokers keep none. */
  #assertKept(places: readonly LetterPlace[], [reader]: readonly HandlerRunner[]): void {
    if (places.length > 0 || !reader) return;
    const { name } = this.#subscribed.brokerOf(reader);
    throw new NotSupportedError(
      `Broker '${name}', which ${reader.name} reads from, keeps no dead letters: use one that does.`,
    );
  }
}

/** Of a message that was kept by its beginning. */
export function truncated({ id, letter }: Pick<QueuedLetter, "id" | "letter">): ProteanError {
  return new ProteanError(
    `DLQ message '${id}' cannot be replayed: it had ${letter.truncatedBytes} bytes, of which no more than the ` +
      "beginning was kept: have it sent again.",
    { code: "DLQ_TRUNCATED" },
  );
}

/** Never to a stream that the letter names: anybody may have written it. */
async function toOther(
  { deadLetters, stream, origin }: LetterPlace,
  id: string,
  { originalStream, originalId, consumerGroup }: DeadLetter,
): Promise<ReplayedToOther> {
  if (!deadLetters.replayToOther || originalStream !== origin) return "nobody";
  return await deadLetters.replayToOther(stream, id, {
    stream: origin,
    id: originalId,
    group: consumerGroup,
  });
}

function queued(place: LetterPlace, { id, data }: StreamEntry): QueuedLetter {
  return { ...placed(place, id), letter: parseDeadLetter(data, { stream: place.stream, id }) };
}

function summarized(place: LetterPlace, { id, data }: StreamEntry): QueuedLetter {
  return { ...placed(place, id), letter: summarizeDeadLetter(data, { stream: place.stream, id }) };
}

function placed({ stream, subscription, broker }: LetterPlace, id: string): Omit<QueuedLetter, "letter"> {
  const { name } = broker;
  return { id, queue: stream, subscription, ...(name !== MAIN_BROKER && { broker: name }) };
}
