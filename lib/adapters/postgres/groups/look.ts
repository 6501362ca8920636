/**
 * Who is in a group's way: found by one exchange after the group was rolled back.
 *
 * @module
 */
import { duplicateMessage, isOtherMessage, type Mark, messageConflict, type RowWrite } from "../../ports.ts";
import { asError } from "../../../errors.ts";
import { isServerError } from "../connection/errors.ts";
import type { Connection } from "../connection/connection.ts";
import type { Names } from "../connection/names.ts";
import { exchange } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";
import { markKey, markLook, markRows } from "../tables/marks.ts";
import { rowsRead, versionConflict } from "../tables/row_writes.ts";
import type { Member } from "./member.ts";
import { BEGIN_GROUP, type GroupOptions } from "./statements.ts";

/** Members whose mark is taken already, or whose rows are not as they expect, and what they are told. */
export async function findFailing(options: GroupOptions): Promise<ReadonlyMap<Member, Error>> {
  const { connection, members, where, names } = options;
  const marks = members.flatMap((member) => member.marks);
  const tables = idsByTable(members, ({ expected }) => expected !== undefined);
  const statements = [
    ...marks.length > 0 ? [markLook(names, marks)] : [],
    ...[...tables].map(([table, ids]) => rowsRead(names, table, ids)),
  ];
  if (statements.length === 0) return new Map();
  const replies = await exchange(connection, statements, where);
  const taken = marks.length > 0 ? markRows(replies[0] ?? []) : new Map<string, unknown>();
  const versions = new Map<string, Map<string, number>>();
  [...tables.keys()].forEach((table, index) => {
    const rows = replies[index + (marks.length > 0 ? 1 : 0)] ?? [];
    versions.set(table, new Map(rows.map(({ id, version }) => [String(id), Number(version)])));
  });
  const failing = new Map<Member, Error>();
  for (const member of members) {
    const error = markFailure(member.marks, taken) ?? rowFailure(member.rows, versions);
    if (error) failing.set(member, error);
  }
  return failing;
}

/** Members with a row, or a table, that somebody else has locked now. */
export async function findLocked(options: GroupOptions): Promise<ReadonlySet<Member>> {
  const { connection, members, names } = options;
  const locked = new Set<Member>();
  for (const [table, ids] of idsByTable(members, () => true)) {
    const held = await lockedIds(connection, names, table, ids);
    for (const member of members) {
      const isHeld = member.rows.some((row) => row.table === table && (held === "all" || held.has(row.id)));
      if (isHeld) locked.add(member);
    }
  }
  return locked;
}

/** `all`: the table itself is. */
async function lockedIds(
  connection: Connection,
  names: Names,
  table: string,
  ids: readonly string[],
): Promise<ReadonlySet<string> | "all"> {
  const name = names.table(table);
  const values = [arrayText(ids)];
  const run = async (text: string) =>
    (await connection.run(text, values, "prepared")).map(({ id }) => String(id));
  try {
    await connection.run(BEGIN_GROUP.text, [], "simple");
    const stored = await run(`select id from ${name} where id = any($1::text[])`);
    const free = new Set(
      await run(`select id from ${name} where id = any($1::text[]) order by id for update skip locked`),
    );
    return new Set(stored.filter((id) => !free.has(id)));
  } catch (error) {
    if (isServerError(error)) return "all";
    throw asError(error);
  } finally {
    if (!connection.lost) await connection.run("rollback", [], "simple");
  }
}

function idsByTable(
  members: readonly Member[],
  wanted: (row: RowWrite) => boolean,
): ReadonlyMap<string, readonly string[]> {
  const tables = new Map<string, string[]>();
  for (const { rows } of members) {
    for (const row of rows) {
      if (!wanted(row)) continue;
      const ids = tables.get(row.table);
      if (ids) ids.push(row.id);
      else tables.set(row.table, [row.id]);
    }
  }
  return tables;
}

function markFailure(marks: readonly Mark[], taken: ReadonlyMap<string, unknown>): Error | undefined {
  for (const mark of marks) {
    const key = markKey(mark);
    if (!taken.has(key)) continue;
    return isOtherMessage(mark, taken.get(key)) ? messageConflict(mark) : duplicateMessage(mark);
  }
  return undefined;
}

function rowFailure(
  rows: readonly RowWrite[],
  versions: ReadonlyMap<string, ReadonlyMap<string, number>>,
): Error | undefined {
  const row = rows.find(({ table, id, expected }) =>
    expected !== undefined && (versions.get(table)?.get(id) ?? -1) !== expected
  );
  return row && versionConflict(row);
}
