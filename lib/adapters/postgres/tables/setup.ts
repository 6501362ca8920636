/**
 * Creates what is missing, and refuses tables that are not ours. Looks first and locks only if something is missing: a server
 * that starts beside a busy one waits for nobody, and needs no right to create where everything exists.
 *
 * @module
 */
import { ConfigurationError } from "../../../errors.ts";
import type { Connection } from "../connection/connection.ts";
import { indexCreation, tableCreation, type TableDefinition } from "./ddl.ts";
import type { Where } from "../connection/errors.ts";
import { type Names, quoted } from "../connection/names.ts";
import { arrayText } from "../connection/values.ts";

const SCHEMA = "select oid from pg_namespace where nspname = $1";

const COLUMNS = `
  select c.relname as "table", c.relkind as kind, a.attname as "column", format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull and not a.atthasdef and a.attidentity = '' as required
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where n.nspname = $1 and c.relname = any($2::text[])`;

/** Kinds of relations that rows can be written to: a table, perhaps partitioned. */
const TABLE_KINDS = ["r", "p"];

interface FoundColumn {
  readonly table: string;
  readonly kind: string;
  readonly column: string | null;
  readonly type: string | null;
  readonly required: boolean | null;
}

/**
 * Brings the schema to where it should be, in one transaction that concurrent ones wait for. Throws `ConfigurationError` when
 * a table exists with other columns, or the server's error.
 */
export async function createTables(
  connection: Connection,
  names: Names,
  tables: readonly TableDefinition[],
  where: Where,
): Promise<void> {
  const todo = await missing(connection, names, tables, where);
  if (todo.length === 0) return;
  await connection.run("begin read write", [], "simple");
  await connection.run("select pg_advisory_xact_lock($1, 0)", [String(names.lockKey("setup"))]);
  for (const statement of await missing(connection, names, tables, where)) {
    await connection.run(statement, [], "simple");
  }
  await connection.run("commit", [], "simple");
}

/** Those of the tables that exist. */
export async function existing(
  connection: Connection,
  names: Names,
  tables: readonly string[],
): Promise<readonly string[]> {
  const found = new Set((await columnsOf(connection, names, tables)).map(({ table }) => table));
  return tables.filter((table) => found.has(table));
}

/** Statements that create what is not there. */
async function missing(
  connection: Connection,
  names: Names,
  tables: readonly TableDefinition[],
  where: Where,
): Promise<readonly string[]> {
  const schema = await connection.run(SCHEMA, [names.schema]);
  const todo = schema.length === 0 ? [`create schema ${quoted(names.schema)}`] : [];
  const indexes = tables.flatMap((table) => table.indexes ?? []).map(({ name }) => name);
  const found = await columnsOf(connection, names, [...tables.map(({ name }) => name), ...indexes]);
  for (const table of tables) {
    const columns = found.filter((column) => column.table === table.name);
    if (columns.length === 0) todo.push(tableCreation(table, names));
    else requireColumns(table, columns, names, where);
    for (const index of table.indexes ?? []) {
      if (!found.some((column) => column.table === index.name)) todo.push(indexCreation(table, index, names));
    }
  }
  return todo;
}

async function columnsOf(
  connection: Connection,
  names: Names,
  relations: readonly string[],
): Promise<readonly FoundColumn[]> {
  return await connection.run(COLUMNS, [
    names.schema,
    arrayText(relations),
  ]) as unknown as readonly FoundColumn[];
}

function requireColumns(
  table: TableDefinition,
  found: readonly FoundColumn[],
  names: Names,
  where: Where,
): void {
  const troubles: string[] = [];
  if (!TABLE_KINDS.includes(found[0]?.kind ?? "")) troubles.push("it is not a table");
  for (const { name, type } of table.columns) {
    const column = found.find((candidate) => candidate.column === name);
    if (!column) troubles.push(`column ${name} is missing`);
    else if (column.type !== type) troubles.push(`column ${name} is ${column.type} instead of ${type}`);
  }
  for (const { column, required } of found) {
    if (required && !table.columns.some(({ name }) => name === column)) {
      troubles.push(`column ${column} is unknown and must not be null`);
    }
  }
  if (troubles.length === 0) return;
  throw new ConfigurationError(
    `The table ${names.schema}.${table.name} of database '${where.name}' (${where.label}) is not this server's: ` +
      `${troubles.join(", ")}: rename it, or give the server a schema of its own.`,
    { code: "DATABASE_TABLE_DIFFERS" },
  );
}
