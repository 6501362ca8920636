/**
 * What queues hold, and what their letters failed of, counted over the newest of each.
 *
 * @module
 */
import type { DeadLetterFilter, DeadLetterGroup, DeadLetterStats } from "../domain/dead_letters.ts";
import { failedAtOf, matches, notBefore, UNKNOWN } from "./filter.ts";
import { PAGE, PAGE_BYTES, timeOfId } from "./letters.ts";
import { newestFirst } from "./newest_first.ts";
import type { LetterPlace } from "./places.ts";
import { summarizeDeadLetter } from "../message/dead_letter.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";

/** Letters of one queue that are looked at. */
export const MOST_COUNTED = 10_000;
/** Groups that are told apart; what is beyond them is `other`. */
const MOST_GROUPS = 1_000;
const OTHER = "other";

interface Tally {
  readonly handler: string;
  readonly errorType: string;
  readonly type: string;
  count: number;
  first: number;
  last: number;
}

export interface StatsOptions {
  readonly filter: Readonly<DeadLetterFilter>;
  readonly runners: readonly HandlerRunner[];
  /** Letters of the queue that are looked at, the newest; at most 10,000. */
  readonly most: number;
  /** Of a larger text no more than the beginning is read. */
  readonly maxEntryBytes: number;
}

/** The figures of one queue. */
export async function statsOf(place: LetterPlace, options: StatsOptions): Promise<DeadLetterStats> {
  const { filter, runners, maxEntryBytes } = options;
  const most = Math.min(options.most, MOST_COUNTED);
  const { deadLetters, stream } = place;
  const [depth, oldest] = [await deadLetters.depth(stream), await deadLetters.oldest(stream)];
  const tallies = new Map<string, Tally>();
  const earliest = notBefore(filter);
  let counted = 0;
  let newest: number | undefined;
  const page = { limit: Math.min(most, PAGE), maxBytes: PAGE_BYTES, maxEntryBytes };
  for await (const { entry: { id, data } } of newestFirst({ queues: [place], page })) {
    newest ??= timeOfId(id);
    if (counted >= most || timeOfId(id) < earliest) break;
    counted++;
    const letter = summarizeDeadLetter(data, { stream, id });
    if (!matches({ id, letter }, filter, runners)) continue;
    const named = letter.handler ?? runners.find(({ group }) => group === letter.consumerGroup)?.name;
    add(tallies, failedAtOf(id, letter), {
      handler: named ?? (letter.consumerGroup || UNKNOWN),
      errorType: letter.errorType ?? UNKNOWN,
      type: letter.messageType ?? UNKNOWN,
    });
  }
  return {
    dlqStream: stream,
    subscription: place.subscription,
    depth,
    oldest: oldest === undefined ? undefined : new Date(oldest),
    newest: newest === undefined ? undefined : new Date(newest),
    groups: await Promise.all(
      [...tallies.values()].sort((a, b) => b.count - a.count || b.last - a.last).map(groupOf),
    ),
    counted,
  };
}

function add(tallies: Map<string, Tally>, at: number, kind: Omit<Tally, "count" | "first" | "last">): void {
  const key = JSON.stringify([kind.handler, kind.errorType, kind.type]);
  const room = tallies.has(key) || tallies.size < MOST_GROUPS;
  const named = room ? kind : { handler: OTHER, errorType: OTHER, type: OTHER };
  const found = tallies.get(room ? key : OTHER);
  if (!found) {
    tallies.set(room ? key : OTHER, { ...named, count: 1, first: at, last: at });
    return;
  }
  found.count++;
  found.first = Math.min(found.first, at);
  found.last = Math.max(found.last, at);
}

async function groupOf({ handler, errorType, type, count, first, last }: Tally): Promise<DeadLetterGroup> {
  const text = new TextEncoder().encode([handler, errorType, type].join("|"));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  return {
    fingerprint: hash.slice(0, 6).toHex(),
    ...{ handler, errorType, type, count },
    first: new Date(first),
    last: new Date(last),
    note: undefined,
  };
}
