/**
 * Entries of a stream by their ids, in steps: how large they are is known only when they are there.
 *
 * @module
 */
import { TextBudget } from "../entry_text.ts";
import type { StreamEntry, TextLimits } from "../ports.ts";
import { isStreamId } from "../stream_id.ts";
import type { Endpoint } from "./endpoint.ts";
import type { StreamKey } from "./keys.ts";
import { entriesRanged } from "./replies.ts";

/** Entries asked for at first, and at most, in one step; each step asks for four times as many. */
const STEP = { first: 8, most: 128, factor: 4 };

/**
 * The entries in the order of `ids`, without those that are not there. What is beyond `maxBytes` is not asked
 * for: its size is not known, and given as 0.
 */
export async function fetchEntries(
  endpoint: Endpoint,
  place: { readonly stream: string; readonly key: StreamKey },
  ids: readonly string[],
  limits: TextLimits = {},
): Promise<readonly StreamEntry[]> {
  const budget = new TextBudget(limits);
  const known = ids.filter((id) => isStreamId(id));
  const found: StreamEntry[] = [];
  let at = 0;
  for (let step = STEP.first; at < known.length && !budget.spent; step = next(step)) {
    const some = known.slice(at, at + step);
    const replies = await endpoint.run(
      (client) => Promise.all(some.map((id) => client.callBuffer("XRANGE", [place.key, id, id]))),
      { key: place.stream, repeatable: true },
    );
    for (const reply of replies) found.push(...await entriesRanged(reply, budget));
    at += some.length;
  }
  return found.concat(known.slice(at).map((id) => ({ id, data: undefined, omitted: 0 })));
}

/** The step after one of so many entries. */
export function next(step: number): number {
  return Math.min(STEP.most, step * STEP.factor);
}
