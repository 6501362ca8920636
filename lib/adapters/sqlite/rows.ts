/**
 * Aggregate and view rows: `(id, version, state, created_at, updated_at)`, with optimistic versions (wire 6.3).
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ConfigurationError, ExpectedVersionError } from "../../errors.ts";
import type { RowWrite, StoredRow } from "../ports.ts";
import { quoted } from "./schema.ts";
import { statement } from "./statements.ts";

/** The row with that id, if there is one. */
export function loadRow(db: DatabaseSync, table: string, id: string): StoredRow | undefined {
  const row = onTable(db, table, (name) => `SELECT id, version, state FROM ${name} WHERE id = ?`).get(id);
  return row && asStoredRow(row);
}

/** Rows in order of id, those after `after`. */
export function listRows(
  db: DatabaseSync,
  table: string,
  options: { readonly after?: string; readonly limit: number },
): readonly StoredRow[] {
  const { after, limit } = options;
  if (after === undefined) {
    const sql = (name: string) => `SELECT id, version, state FROM ${name} ORDER BY id LIMIT ?`;
    return onTable(db, table, sql).all(limit).map(asStoredRow);
  }
  const sql = (name: string) => `SELECT id, version, state FROM ${name} WHERE id > ? ORDER BY id LIMIT ?`;
  return onTable(db, table, sql).all(after, limit).map(asStoredRow);
}

/** Writes or deletes one row inside the transaction. Throws `ExpectedVersionError`. `now` is ISO 8601 text. */
export function writeRow(db: DatabaseSync, write: RowWrite, now: string): void {
  const { table, id, state, expected } = write;
  const on = (sql: (name: string) => string) => onTable(db, table, sql);
  let changes: number | bigint;
  if (state === undefined) {
    changes = expected === undefined
      ? on((name) => `DELETE FROM ${name} WHERE id = ?`).run(id).changes
      : on((name) => `DELETE FROM ${name} WHERE id = ? AND version = ?`).run(id, expected).changes;
    // Nothing may be deleted, and nothing must be, where no row was to exist.
    if (expected === undefined || (expected === -1 && !loadRow(db, table, id))) return;
  } else if (expected === undefined) {
    changes = on((name) =>
      `INSERT INTO ${name} VALUES (?1, 0, ?2, ?3, ?3)
       ON CONFLICT (id) DO UPDATE SET version = version + 1, state = ?2, updated_at = ?3`
    ).run(id, state, now).changes;
  } else if (expected === -1) {
    changes = on((name) => `INSERT INTO ${name} VALUES (?1, 0, ?2, ?3, ?3) ON CONFLICT (id) DO NOTHING`)
      .run(id, state, now).changes;
  } else {
    changes = on((name) =>
      `UPDATE ${name} SET version = version + 1, state = ?, updated_at = ? WHERE id = ? AND version = ?`
    ).run(state, now, id, expected).changes;
  }
  if (Number(changes) === 0) throw wrongVersion(db, write);
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

function onTable(db: DatabaseSync, table: string, sql: (name: string) => string): StatementSync {
  try {
    return statement(db, sql(quoted(table)));
  } catch (cause) {
    if (!(cause instanceof Error) || !cause.message.startsWith("no such table")) throw cause;
    throw new ConfigurationError(
      `The table ${table} does not exist in ${db.location()}: create it with 'protean-server db setup'.`,
      { code: "TABLE_MISSING", cause },
    );
  }
}

function asStoredRow(row: Record<string, unknown>): StoredRow {
  return { id: String(row.id), version: Number(row.version), state: String(row.state) };
}
