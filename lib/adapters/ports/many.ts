/**
 * Many rows or marks at once, of any session: in as few statements as it can, one by one where it cannot.
 *
 * @module
 */
import { MessageConflictError } from "../../errors.ts";
import {
  type Mark,
  type MarkOutcome,
  MOST_AT_ONCE,
  type ProviderSession,
  type StoredRow,
} from "./provider.ts";

/** The rows that exist, by id. `ids` may name one twice. Rejects as `load` does. */
export async function loadMany(
  session: ProviderSession,
  table: string,
  ids: Iterable<string>,
): Promise<ReadonlyMap<string, StoredRow>> {
  const found = new Map<string, StoredRow>();
  for (const some of chunks([...new Set(ids)])) {
    for (const row of await loadSome(session, table, some)) found.set(row.id, row);
  }
  return found;
}

async function loadSome(
  session: ProviderSession,
  table: string,
  ids: readonly string[],
): Promise<readonly StoredRow[]> {
  if (ids.length > 1 && session.loadMany) return await session.loadMany(table, ids);
  const rows: StoredRow[] = [];
  for (const id of ids) {
    const row = await session.load(table, id);
    if (row) rows.push(row);
  }
  return rows;
}

/**
 * Claims marks, of which none is given twice; returns what became of each, in their order. Rejects as `mark`
 * does, but for `MessageConflictError`.
 */
export async function markMany(
  session: ProviderSession,
  marks: readonly Mark[],
): Promise<readonly MarkOutcome[]> {
  const outcomes: MarkOutcome[] = [];
  for (const some of chunks(marks)) outcomes.push(...await markSome(session, some));
  return outcomes;
}

async function markSome(session: ProviderSession, marks: readonly Mark[]): Promise<readonly MarkOutcome[]> {
  if (session.markMany) return await session.markMany(marks);
  const outcomes: MarkOutcome[] = [];
  for (const mark of marks) outcomes.push(await markOne(session, mark));
  return outcomes;
}

async function markOne(session: ProviderSession, mark: Mark): Promise<MarkOutcome> {
  try {
    return await session.mark(mark) ? "claimed" : "handled";
  } catch (error) {
    if (error instanceof MessageConflictError) return "conflict";
    throw error;
  }
}

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += MOST_AT_ONCE) yield items.slice(at, at + MOST_AT_ONCE);
}
