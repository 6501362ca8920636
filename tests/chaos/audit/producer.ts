/**
 * Commits numbered events, whatever happens to the database meanwhile.
 *
 * @module
 */
import { UnavailableError } from "@protean/server";
import { pause } from "../../support/until.ts";
import type { Chance } from "./seed.ts";
import type { Audited } from "./source.ts";

export interface ProduceOptions {
  readonly chance: Chance;
  /** Events in all, spread over the keys as evenly as they go. */
  readonly events: number;
  readonly keys: number;
  /** Events committed in one unit of work. */
  readonly batch: number;
  /** Ends the production; what is committed stays. */
  readonly signal: AbortSignal;
}

/** Between two tries against a database that is away. */
const AGAIN_MS = 50;

/**
 * Commits events 1 to n of every key, each key's in order, keys at random. A commit whose outcome is unknown
 * is asked for: the aggregate says what it has produced, so nothing is committed twice and nothing left out.
 */
export async function produce(audited: Audited, options: ProduceOptions): Promise<void> {
  const { chance, events, keys, signal } = options;
  const open = Array.from({ length: keys }, (_, index) => ({
    key: `k${String(index).padStart(3, "0")}`,
    quota: Math.floor(events / keys) + (index < events % keys ? 1 : 0),
  })).filter(({ quota }) => quota > 0);
  while (open.length > 0 && !signal.aborted) {
    const source = chance.pick(open);
    try {
      const produced = await commitBatch(audited, source.key, source.quota, options.batch);
      if (produced >= source.quota) open.splice(open.indexOf(source), 1);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      await pause(AGAIN_MS);
    }
  }
}

/** Commits the next events of `key`; returns how many it has then. */
function commitBatch(
  { domain, Source, Numbered }: Audited,
  key: string,
  quota: number,
  batch: number,
): Promise<number> {
  return domain.unitOfWork(async (ctx) => {
    const sources = ctx.repository(Source);
    const source = await sources.find(key) ?? Source.create({ id: key, produced: 0 });
    const { produced } = source.state;
    const next = Math.min(produced + batch, quota);
    if (next === produced) return produced;
    for (let n = produced + 1; n <= next; n++) source.raise(Numbered, { key, n });
    source.update({ produced: next });
    await sources.add(source);
    return next;
  });
}
