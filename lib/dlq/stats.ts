/**
 * What queues hold, and what their letters failed of: from the counts that are kept beside each queue, or,
 * where it is asked for what nobody counts, from its newest letters.
 *
 * @module
 */
import { MOST_GROUPS, OTHER } from "../adapters/failure_book.ts";
import type { FailureCount, FailureFigures, FailureGroups } from "../adapters/ports.ts";
import type { DeadLetterFilter, DeadLetterGroup, DeadLetterStats } from "../domain/dead_letters.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { summarizeDeadLetter } from "../message/dead_letter.ts";
import { failureOfLetter } from "../message/failure_group.ts";
import { failedAtOf, isOfType, matches, notBefore } from "./filter.ts";
import { PAGE, PAGE_BYTES, timeOfId } from "./letters.ts";
import { newestFirst } from "./newest_first.ts";
import type { LetterPlace } from "./places.ts";

/** Letters of one queue that are looked at where they have to be. */
export const MOST_COUNTED = 10_000;
/** Letters written by others that are counted before it is answered; the maintenance counts the rest. */
const COUNTED_AT_ONCE = 1_000;

export interface StatsOptions {
  readonly filter: Readonly<DeadLetterFilter>;
  readonly runners: readonly HandlerRunner[];
  /** The newest letters of the queue that are looked at, at most 10,000. @default as the counts say */
  readonly most?: number | undefined;
  /** Of a larger text no more than the beginning is read. */
  readonly maxEntryBytes: number;
}

/** The figures of one queue. */
export async function statsOf(place: LetterPlace, options: StatsOptions): Promise<DeadLetterStats> {
  const { filter: { id, since, until }, most } = options;
  const { failures } = place.deadLetters;
  if (!failures || [id, since, until, most].some((asked) => asked !== undefined)) {
    return await readStats(place, options);
  }
  const figures = await countedFigures(failures, place.stream);
  // Counts of letters that are gone would be wrong numbers.
  const agrees = figures.counted <= figures.depth;
  return {
    ...placed(place, figures),
    groups: agrees ? groupsOf(figures, options) : [],
    counted: agrees ? figures.counted : 0,
  };
}

async function countedFigures(failures: FailureGroups, stream: string): Promise<FailureFigures> {
  const figures = await failures.figures(stream);
  if (figures.counted === figures.depth) return figures;
  await failures.countOn(stream, COUNTED_AT_ONCE);
  return await failures.figures(stream);
}

function groupsOf({ groups, notes, oldest }: FailureFigures, options: StatsOptions): DeadLetterGroup[] {
  return groups.filter((group) => isMeant(group, options)).map(({ named, ...group }) => ({
    ...group,
    handler: named ? group.handler : handlerOf(group.handler, options.runners),
    // What came before the oldest letter that is there has left the group.
    first: new Date(Math.max(group.first, oldest ?? 0)),
    last: new Date(group.last),
    note: notes.get(group.fingerprint),
  })).sort(largestFirst);
}

function isMeant({ handler, named, errorType, type }: FailureCount, options: StatsOptions): boolean {
  const { filter, runners } = options;
  if (filter.error !== undefined && filter.error !== errorType) return false;
  if (filter.type !== undefined && !isOfType(type, filter.type)) return false;
  if (filter.handler === undefined) return true;
  if (named) return filter.handler === handler;
  return runners.some(({ name, group }) => name === filter.handler && group === handler);
}

async function readStats(
  place: LetterPlace,
  { filter, runners, maxEntryBytes, most = MOST_COUNTED }: StatsOptions,
): Promise<DeadLetterStats> {
  const { deadLetters, stream } = place;
  const figures = await deadLetters.failures?.figures(stream);
  const tallies = new Tallies();
  const earliest = notBefore(filter);
  let counted = 0;
  let newest: number | undefined;
  const page = { limit: Math.min(most, PAGE), maxBytes: PAGE_BYTES, maxEntryBytes };
  for await (const { entry: { id, data } } of newestFirst({ queues: [place], page })) {
    newest ??= timeOfId(id);
    if (counted >= Math.min(most, MOST_COUNTED) || timeOfId(id) < earliest) break;
    counted++;
    const letter = summarizeDeadLetter(data, { stream, id });
    if (!matches({ id, letter }, filter, runners)) continue;
    const { named, ...kind } = failureOfLetter(letter);
    const handler = named ? kind.handler : handlerOf(kind.handler, runners);
    tallies.add({ ...kind, handler }, failedAtOf(id, letter));
  }
  const [depth, oldest] = [await deadLetters.depth(stream), await deadLetters.oldest(stream)];
  const groups = tallies.groups.map((group) => ({ ...group, note: figures?.notes.get(group.fingerprint) }));
  return { ...placed(place, { depth, oldest, newest }), groups: groups.sort(largestFirst), counted };
}

type Tally = Omit<DeadLetterGroup, "note">;

/** Groups that are counted here; what comes beyond 1,000 of them is `other`. */
class Tallies {
  readonly #found = new Map<string, Tally>();

  get groups(): readonly Tally[] {
    return [...this.#found.values()];
  }

  add(kind: Omit<Tally, "count" | "first" | "last">, at: number): void {
    const room = this.#found.has(kind.fingerprint) || this.#found.size < MOST_GROUPS;
    const named = room ? kind : { fingerprint: OTHER, handler: OTHER, errorType: OTHER, type: OTHER };
    const { count = 0, first = new Date(at), last = first } = this.#found.get(named.fingerprint) ?? {};
    this.#found.set(named.fingerprint, {
      ...{ ...named, count: count + 1 },
      first: new Date(Math.min(first.getTime(), at)),
      last: new Date(Math.max(last.getTime(), at)),
    });
  }
}

function placed(
  { stream, subscription }: LetterPlace,
  { depth, oldest, newest }: Pick<FailureFigures, "depth" | "oldest" | "newest">,
): Omit<DeadLetterStats, "groups" | "counted"> {
  return {
    ...{ dlqStream: stream, subscription, depth },
    oldest: oldest === undefined ? undefined : new Date(oldest),
    newest: newest === undefined ? undefined : new Date(newest),
  };
}

/** A letter that names no handler, as Python's, belongs to that of its group. */
function handlerOf(group: string, runners: readonly HandlerRunner[]): string {
  return runners.find((runner) => runner.group === group)?.name ?? group;
}

function largestFirst(a: DeadLetterGroup, b: DeadLetterGroup): number {
  return b.count - a.count || b.last.getTime() - a.last.getTime();
}
