/**
 * Aggregate and view rows: `(id, version, state, created_at, updated_at)`, with optimistic versions (wire
 * 6.3).
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { ExpectedVersionError, RefusedError } from "../../../errors.ts";
import type { RowWrite, StoredRow } from "../../ports.ts";
import { fileOf } from "../file/older_runtime.ts";
import { quoted } from "../file/migrate.ts";
import { statement } from "../file/statements.ts";

/** The row with that id, if there is one. */
export function loadRow(db: DatabaseSync, table: string, id: string): StoredRow | undefined {
  return onTable(db, table, () => {
    const sql = `SELECT id, version, state FROM ${quoted(table)} WHERE id = ?`;
    const row = statement(db, sql).get(id);
    return row && asStoredRow(row);
  });
}

/** The rows with those ids, as far as they are there. */
export function loadRows(db: DatabaseSync, table: string, ids: readonly string[]): readonly StoredRow[] {
  return onTable(db, table, () => {
    const sql = `SELECT id, version, state FROM ${
      quoted(table)
    } WHERE id IN (SELECT value FROM json_each(?))`;
    return statement(db, sql).all(JSON.stringify(ids)).map(asStoredRow);
  });
}

/** Rows in order of id, those after `after`. */
export function listRows(
  db: DatabaseSync,
  table: string,
  options: { readonly after?: string; readonly limit: number },
): readonly StoredRow[] {
  const { after, limit } = options;
  return onTable(db, table, () => {
    const sql = `SELECT id, version, state FROM ${quoted(table)}`;
    const rows = after === undefined
      ? statement(db, `${sql} ORDER BY id LIMIT ?`).all(limit)
      : statement(db, `${sql} WHERE id > ? ORDER BY id LIMIT ?`).all(after, limit);
    return rows.map(asStoredRow);
  });
}

/**
 * Writes or deletes one row inside the transaction. Throws `ExpectedVersionError`. `now` is ISO 8601 text.
 */
export function writeRow(db: DatabaseSync, write: RowWrite, now: string): void {
  onTable(db, write.table, () => {
    const done = write.state === undefined ? deleteRow(db, write) : putRow(db, write, write.state, now);
    if (!done) throw wrongVersion(db, write);
  });
}

/** False: a row of that version is not there. */
function deleteRow(db: DatabaseSync, { table, id, expected }: RowWrite): boolean {
  if (expected === -1) return loadRow(db, table, id) === undefined;
  const sql = `DELETE FROM ${quoted(table)} WHERE id = ?`;
  if (expected !== undefined) return statement(db, `${sql} AND version = ?`).run(id, expected).changes !== 0;
  statement(db, sql).run(id);
  return true;
}

function putRow(db: DatabaseSync, write: RowWrite, state: string, now: string): boolean {
  const { id, expected } = write;
  const table = quoted(write.table);
  if (expected !== undefined && expected >= 0) {
    const sql =
      `UPDATE ${table} SET version = version + 1, state = ?, updated_at = ? WHERE id = ? AND version = ?`;
    return statement(db, sql).run(state, now, id, expected).changes !== 0;
  }
  const conflict = expected === undefined
    ? "DO UPDATE SET version = version + 1, state = excluded.state, updated_at = excluded.updated_at"
    : "DO NOTHING";
  const sql = `INSERT INTO ${table} (id, version, state, created_at, updated_at) VALUES (?, 0, ?, ?, ?)
    ON CONFLICT (id) ${conflict}`;
  return statement(db, sql).run(id, state, now, now).changes !== 0;
}

function wrongVersion(db: DatabaseSync, { table, id, expected }: RowWrite): ExpectedVersionError {
  const stored = loadRow(db, table, id);
  const found = stored ? `version ${stored.version}` : "no row";
  return new ExpectedVersionError(
    `'${id}' in ${table} was saved by another: expected ${
      expected === -1 ? "no row" : `version ${expected}`
    }, found ${found}; load it again.`,
  );
}

/** Whether a statement names a table that is not there. */
export function isTableMissing(thrown: unknown): thrown is Error {
  return thrown instanceof Error && thrown.message.startsWith("no such table");
}

function onTable<T>(db: DatabaseSync, table: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!isTableMissing(cause)) throw cause;
    throw new RefusedError(
      `The table ${table} does not exist in ${fileOf(db)}: create it with 'protean-server db setup'.`,
      { code: "DATABASE_TABLE_MISSING", cause },
    );
  }
}

function asStoredRow(row: Record<string, unknown>): StoredRow {
  return { id: String(row.id), version: Number(row.version), state: String(row.state) };
}
