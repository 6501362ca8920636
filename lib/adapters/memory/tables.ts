/**
 * Aggregate and view rows in memory, and transactions over them: writes are collected, and applied all or
 * none.
 *
 * @module
 */
import { ExpectedVersionError, RefusedError } from "../../errors.ts";
import { compareCodePoints } from "../../message/json_format.ts";
import type { RowWrite, StoredRow } from "../ports.ts";

type Rows = Map<string, StoredRow>;
/** Rows that a transaction would change; undefined is a deletion. */
type Changes = Map<string, Map<string, StoredRow | undefined>>;

export class MemoryTables {
  readonly #tables = new Map<string, Rows>();

  create(name: string): void {
    if (!this.#tables.has(name)) this.#tables.set(name, new Map());
  }

  drop(name: string): void {
    this.#tables.delete(name);
  }

  truncate(name: string): void {
    this.#tables.get(name)?.clear();
  }

  /** The row as it would be after `writes`. */
  load(table: string, id: string, writes: readonly RowWrite[]): StoredRow | undefined {
    return this.#at(table, id, this.#replay(writes));
  }

  /** As `load`, of several: those that are there. */
  loadMany(table: string, ids: readonly string[], writes: readonly RowWrite[]): readonly StoredRow[] {
    const changes = this.#replay(writes);
    return ids.flatMap((id) => this.#at(table, id, changes) ?? []);
  }

  /** Rows as they would be after `writes`, in order of id, those after `after`. */
  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
    writes: readonly RowWrite[],
  ): readonly StoredRow[] {
    const { after, limit } = options;
    const rows = new Map<string, StoredRow | undefined>(this.#table(table));
    for (const [id, row] of this.#replay(writes).get(table) ?? []) rows.set(id, row);
    return [...rows.values()]
      .filter((row) => row !== undefined)
      .filter((row) => after === undefined || compareCodePoints(row.id, after) > 0)
      .sort((a, b) => compareCodePoints(a.id, b.id))
      .slice(0, limit);
  }

  /** Throws `ExpectedVersionError` or `RefusedError` if the writes could not be applied now. */
  check(writes: readonly RowWrite[]): void {
    this.#replay(writes);
  }

  /** Applies all writes; none, if it throws. */
  apply(writes: readonly RowWrite[]): void {
    for (const [name, rows] of this.#replay(writes)) {
      const table = this.#table(name);
      for (const [id, row] of rows) {
        if (row) table.set(id, row);
        else table.delete(id);
      }
    }
  }

  #replay(writes: readonly RowWrite[]): Changes {
    const changes: Changes = new Map();
    for (const write of writes) {
      const row = written(write, this.#at(write.table, write.id, changes));
      const rows = changes.get(write.table) ?? new Map<string, StoredRow | undefined>();
      changes.set(write.table, rows.set(write.id, row));
    }
    return changes;
  }

  #at(table: string, id: string, changes: Changes): StoredRow | undefined {
    const changed = changes.get(table);
    return changed?.has(id) ? changed.get(id) : this.#table(table).get(id);
  }

  #table(name: string): Rows {
    const table = this.#tables.get(name);
    if (table) return table;
    throw new RefusedError(
      `The table ${name} does not exist in memory: set it up before it is used.`,
      { code: "DATABASE_TABLE_MISSING" },
    );
  }
}

/** The row after the write, or undefined when it is deleted. Throws `ExpectedVersionError`. */
function written(
  { table, id, state, expected }: RowWrite,
  stored: StoredRow | undefined,
): StoredRow | undefined {
  const version = stored?.version ?? -1;
  if (expected !== undefined && expected !== version) {
    const name = (at: number) => at === -1 ? "no row" : `version ${at}`;
    throw new ExpectedVersionError(
      `'${id}' in ${table} was saved by another: expected ${name(expected)}, found ${
        name(version)
      }; load it again.`,
    );
  }
  return state === undefined ? undefined : { id, version: version + 1, state };
}
