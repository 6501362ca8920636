/**
 * The final state of the thousand sample orders, in a form that is the same whatever it is kept in.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "@std/assert";
import type { Installation } from "../e2e/server.ts";
import type { PostgresServer } from "../support/postgres_server.ts";

/**
 * A stored row. The version of a view row counts its writes, which at-least-once delivery does not promise.
 */
export interface Row {
  readonly id: string;
  readonly version?: number;
  readonly state: unknown;
}

export interface OrdersState {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  /** Ids of the events that were raised; deterministic, so a doubled effect would be one more. */
  readonly events: readonly string[];
  /** Outbox rows by type and status. */
  readonly outbox: Readonly<Record<string, number>>;
  /** Reasons of the dead letters. */
  readonly deadLetters: readonly string[];
}

type Ask = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

const AGGREGATE = "protean_my_domain_order";
const VIEWS = ["order_summary", "picking_list", "bulk_order", "audit_entry"]
  .map((name) => `protean_my_domain_view_${name}`);

/** Reads everything that is left when the work is done. */
export async function ordersState(installation: Installation, ask: Ask): Promise<OrdersState> {
  const tables: Record<string, readonly Row[]> = {};
  for (const table of [AGGREGATE, ...VIEWS]) {
    const rows = await ask(`select id, version, state from ${table}`);
    tables[table] = rows.map(({ id, version, state }): Row => ({
      id: String(id),
      ...(table === AGGREGATE ? { version: Number(version) } : {}),
      state: typeof state === "string" ? JSON.parse(state) : state,
    })).sort((a, b) => a.id < b.id ? -1 : 1);
  }
  const outbox: Record<string, number> = {};
  const events: string[] = [];
  for (
    const { message_id, type, status } of await ask("select message_id, type, status from protean_outbox")
  ) {
    outbox[`${type} ${status}`] = (outbox[`${type} ${status}`] ?? 0) + 1;
    if (String(type).startsWith("MyDomain.Order")) events.push(String(message_id));
  }
  return { tables, events: events.sort(), outbox, deadLetters: await deadLetters(installation) };
}

/** Asks the SQLite file of an installation on the embedded default. */
export function askSqlite(file: string): Ask {
  return (sql) => {
    using database = new DatabaseSync(file, { readOnly: true });
    return Promise.resolve(database.prepare(sql).all());
  };
}

/** Asks a PostgreSQL, one JSON object a row. */
export function askPostgres(server: PostgresServer): Ask {
  return async (sql) => {
    const rows = await server.sql(`select row_to_json(found) from (${sql}) as found`);
    return rows.map((row) => JSON.parse(row));
  };
}

async function deadLetters(installation: Installation): Promise<string[]> {
  const listed = await installation.command(["dlq", "list", "--json"]);
  assertEquals(listed.code, 0, listed.err);
  const { data: { messages } } = JSON.parse(listed.out) as {
    data: { messages: { failure_reason: string }[] };
  };
  return messages.map(({ failure_reason }) => failure_reason).sort();
}
