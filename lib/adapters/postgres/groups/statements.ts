/**
 * What the members of one group write, as few statements as there are kinds of writes (delivery 25).
 *
 * Each statement divides by zero unless it has done everything that was asked of it: so success needs no look
 * afterwards, and COMMIT travels in the same packet. Rows are locked in order of table and id, as everywhere.
 *
 * @module
 */
import type { OutboxInsert, RowWrite } from "../../ports.ts";
import type { Connection } from "../connection/connection.ts";
import type { Where } from "../connection/errors.ts";
import type { Names } from "../connection/names.ts";
import { BEGIN, type Planned } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";
import { outboxInsertion } from "../tables/outbox_insert.ts";
import { markInsertion } from "../tables/marks.ts";
import { allOf, epoch } from "../tables/row_writes.ts";
import { compareCodePoints } from "../../../message/json_format.ts";
import type { Member } from "./member.ts";

/** Longest wait of a group for one lock. */
export const LOCK_TIMEOUT_MS = 200;

/** One lock that somebody else holds must not hold up everybody. */
export const BEGIN_GROUP: Planned = {
  ...BEGIN,
  text: `${BEGIN.text}; set local lock_timeout = ${LOCK_TIMEOUT_MS}`,
};

export interface GroupOptions {
  readonly connection: Connection;
  /** It was silent for so long that it may be dead: BEGIN goes ahead. */
  readonly isSilent: boolean;
  readonly members: readonly Member[];
  readonly where: Where;
  readonly names: Names;
  /** Epoch ms. */
  readonly now: number;
}

/** A statement, and whose it is. */
export interface Shared extends Planned {
  readonly concerns: (member: Member) => boolean;
}

/** Several writes of one row, as the last one leaves it. */
interface Merged {
  readonly write: RowWrite;
  readonly times: number;
}

/** The kinds of writes to one table, in the order in which they are sent. */
type Kind = "changed" | "deletedAt" | "absent" | "deleted" | "added" | "put";
const KINDS: readonly Kind[] = ["changed", "deletedAt", "absent", "deleted", "added", "put"];

/** Everything that the members write, in order; `now` is epoch ms. */
export function groupStatements(names: Names, members: readonly Member[], now: number): readonly Shared[] {
  const marks = members.flatMap((member) => member.marks);
  const outbox: readonly OutboxInsert[] = members.flatMap((member) => member.outbox);
  const statements: Shared[] = [];
  if (marks.length > 0) {
    statements.push({ ...markInsertion(names, marks), concerns: (member) => member.marks.length > 0 });
  }
  for (const [table, rows] of [...byTable(members)].sort(([a], [b]) => compareCodePoints(a, b))) {
    const merged = [...rows.values()].sort((a, b) => compareCodePoints(a.write.id, b.write.id));
    const concerns = (member: Member) => member.rows.some((row) => row.table === table);
    for (const statement of tableStatements(names, table, merged, now)) {
      statements.push({ ...statement, concerns });
    }
  }
  if (outbox.length > 0) {
    statements.push({
      ...outboxInsertion(names, outbox),
      concerns: (member) => member.outbox.length > 0,
    });
  }
  return statements;
}

function byTable(members: readonly Member[]): ReadonlyMap<string, Map<string, Merged>> {
  const tables = new Map<string, Map<string, Merged>>();
  for (const { rows } of members) {
    for (const write of rows) {
      let table = tables.get(write.table);
      if (!table) tables.set(write.table, table = new Map());
      table.set(write.id, { write, times: (table.get(write.id)?.times ?? 0) + 1 });
    }
  }
  return tables;
}

function kindOf({ state, expected }: RowWrite): Kind {
  if (state !== undefined) return expected === undefined ? "put" : expected < 0 ? "added" : "changed";
  return expected === undefined ? "deleted" : expected < 0 ? "absent" : "deletedAt";
}

function* tableStatements(
  names: Names,
  name: string,
  merged: readonly Merged[],
  now: number,
): Generator<Planned> {
  const kinds = new Map<Kind, Merged[]>();
  for (const one of merged) {
    const kind = kindOf(one.write);
    const known = kinds.get(kind);
    if (known) known.push(one);
    else kinds.set(kind, [one]);
  }
  const table = names.table(name);
  const doing = (rows: readonly unknown[]) => `writing ${rows.length} rows of ${name}`;
  const locked = [...kinds.get("changed") ?? [], ...kinds.get("deletedAt") ?? []];
  // One statement locks one row by itself.
  if (locked.length > 1) {
    yield {
      text: `select 1 / (count(*) = $1)::int from (select 1 from ${table} where id = any($2::text[]) ` +
        "order by id for update) as locked",
      values: [
        String(locked.length),
        arrayText(locked.map(({ write }) => write.id).sort(compareCodePoints)),
      ],
      doing: `locking ${locked.length} rows of ${name}`,
    };
  }
  for (const kind of KINDS) {
    const rows = kinds.get(kind);
    if (!rows) continue;
    const ids = arrayText(rows.map(({ write }) => write.id));
    const count = String(rows.length);
    const states = () => arrayText(rows.map(({ write }) => write.state ?? null));
    const versions = () => arrayText(rows.map(({ write }) => String(write.expected)));
    const time = String(now);
    switch (kind) {
      case "changed":
        yield {
          text: allOf(
            `update ${table} as t set state = g.state::jsonb, version = t.version + 1, updated_at = ${
              epoch("$5")
            } from unnest($2::text[], $3::int[], $4::text[]) as g (id, expected, state) ` +
              "where t.id = g.id and t.version = g.expected",
          ),
          values: [count, ids, versions(), states(), time],
          doing: doing(rows),
        };
        break;
      case "deletedAt":
        yield {
          text: allOf(
            `delete from ${table} as t using unnest($2::text[], $3::int[]) as g (id, expected) ` +
              "where t.id = g.id and t.version = g.expected",
          ),
          values: [count, ids, versions()],
          doing: doing(rows),
        };
        break;
      case "absent":
        yield {
          text: `select 1 / (count(*) = 0)::int from ${table} where id = any($1::text[])`,
          values: [ids],
          doing: doing(rows),
        };
        break;
      case "deleted":
        yield { text: `delete from ${table} where id = any($1::text[])`, values: [ids], doing: doing(rows) };
        break;
      case "added":
        yield {
          text: `insert into ${table} (id, version, state, created_at, updated_at) ` +
            `select id, 0, state::jsonb, ${epoch("$3")}, ${epoch("$3")} ` +
            "from unnest($1::text[], $2::text[]) as g (id, state)",
          values: [ids, states(), time],
          doing: doing(rows),
        };
        break;
      case "put":
        yield {
          text: `insert into ${table} as old (id, version, state, created_at, updated_at) ` +
            `select id, times - 1, state::jsonb, ${epoch("$4")}, ${epoch("$4")} ` +
            "from unnest($1::text[], $2::int[], $3::text[]) as g (id, times, state) " +
            "on conflict (id) do update set state = excluded.state, " +
            "version = old.version + excluded.version + 1, updated_at = excluded.updated_at",
          values: [ids, arrayText(rows.map(({ times }) => String(times))), states(), time],
          doing: doing(rows),
        };
    }
  }
}
