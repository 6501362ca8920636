/**
 * Aggregate and view rows, one statement each. A write that does not find the version it expects is an error
 * inside the database, not a count to look at afterwards: so COMMIT may travel right behind it (delivery 13).
 *
 * @module
 */
import { ExpectedVersionError } from "../../../errors.ts";
import type { RowWrite, StoredRow } from "../../ports.ts";
import type { Row } from "../connection/connection.ts";
import { type ServerError, SQLSTATE } from "../connection/errors.ts";
import type { Names } from "../connection/names.ts";
import type { Planned } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";

/** Reads one row. */
export function rowRead(names: Names, table: string, id: string): Planned {
  return {
    text: `select id, version, state from ${names.table(table)} where id = $1`,
    values: [id],
    doing: `reading '${id}' from ${table}`,
  };
}

/** Reads several rows, in any order. */
export function rowsRead(names: Names, table: string, ids: readonly string[]): Planned {
  return {
    text: `select id, version, state from ${names.table(table)} where id = any($1::text[])`,
    values: [arrayText(ids)],
    doing: ids.length === 1 ? `reading '${ids[0]}' from ${table}` : `reading ${ids.length} rows of ${table}`,
  };
}

/** Reads at most `limit` rows in order of id, those behind `after`. */
export function listRead(
  names: Names,
  table: string,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Planned {
  const select = `select id, version, state from ${names.table(table)}`;
  const doing = `listing ${table}`;
  return after === undefined
    ? { text: `${select} order by id limit $1::bigint`, values: [String(limit)], doing }
    : {
      text: `${select} where id > $1 order by id limit $2::bigint`,
      values: [after, String(limit)],
      doing,
    };
}

/** As `rowRead` and `listRead` have it. */
export function storedRow({ id, version, state }: Row): StoredRow {
  return { id: String(id), version: Number(version), state: String(state) };
}

/** One write as a statement; `now` is epoch ms. */
export function rowWrite(names: Names, write: RowWrite, now: number): Planned {
  const { id, state, expected } = write;
  const table = names.table(write.table);
  const doing = `writing '${id}' to ${write.table}`;
  const explain = (error: ServerError) => conflict(write, error);
  const time = String(now);
  if (state === undefined) {
    if (expected === undefined) return { doing, text: `delete from ${table} where id = $1`, values: [id] };
    if (expected < 0) {
      // Divides by zero when the row is there after all.
      return { doing, explain, text: `select 1 / (1 - count(*)) from ${table} where id = $1`, values: [id] };
    }
    return {
      doing,
      explain,
      text: oneRow(`delete from ${table} where id = $1 and version = $2`),
      values: [id, String(expected)],
    };
  }
  if (expected !== undefined && expected >= 0) {
    return {
      doing,
      explain,
      text: oneRow(
        `update ${table} set state = $3, version = version + 1, updated_at = ${epoch("$4")} ` +
          "where id = $1 and version = $2",
      ),
      values: [id, String(expected), state, time],
    };
  }
  const insert = `insert into ${table} as old (id, version, state, created_at, updated_at) ` +
    `values ($1, 0, $2, ${epoch("$3")}, ${epoch("$3")})`;
  const upsert = " on conflict (id) do update set " +
    "state = excluded.state, version = old.version + 1, updated_at = excluded.updated_at";
  return {
    doing,
    explain,
    text: expected === undefined ? insert + upsert : insert,
    values: [id, state, time],
  };
}

/** Fails, by a division by zero, unless the statement changes a row. */
function oneRow(statement: string): string {
  return `with done as (${statement} returning 1) select 1 / count(*) from done`;
}

/** A parameter in epoch ms as a time. */
export function epoch(parameter: string): string {
  return `to_timestamp(${parameter}::float8 / 1000)`;
}

function conflict(write: RowWrite, error: ServerError): Error | undefined {
  const taken = error.code === SQLSTATE.uniqueViolation && error.constraint_name?.endsWith("_pkey");
  return error.code === SQLSTATE.divisionByZero || taken ? versionConflict(write, error) : undefined;
}

/** What a write is told whose row is not at the version that it expects. */
export function versionConflict({ table, id, expected }: RowWrite, cause?: Error): ExpectedVersionError {
  const state = expected === -1 ? "exists already" : `is not at version ${expected} any more`;
  return new ExpectedVersionError(
    `Row '${id}' of ${table} ${state}: somebody else saved it first, so load it again and repeat the work.`,
    cause === undefined ? {} : { cause },
  );
}

/** Fails, by a division by zero, unless the statement does something to `$1` rows. */
export function allOf(statement: string): string {
  return `with done as (${statement} returning 1) select 1 / (count(*) = $1)::int from done`;
}
