/**
 * Brings a schema to this server's versions of its tables, and refuses tables that are not ours. Looks first
 * and locks only if something is to be done: a server that starts beside a busy one waits for nobody, and
 * needs no right to create where everything exists.
 *
 * @module
 */
import { asError, ConfigurationError, ExpectedVersionError, UnavailableError } from "../../../errors.ts";
import {
  changeFailed,
  componentSchema,
  describeChange,
  droppableTables,
  isStep,
  locksTable,
  nextChanges,
  requireCompatible,
  type VersionRow,
  versionRows,
  versionsText,
} from "../../migrations.ts";
import type { ComponentSchema, SchemaChange } from "../../ports.ts";
import type { Connection } from "../connection/connection.ts";
import type { TableDefinition } from "./ddl.ts";
import { ownStatementError, type Where } from "../connection/errors.ts";
import { type Names, quoted } from "../connection/names.ts";
import { arrayText } from "../connection/values.ts";
import { type PostgresComponent, schemaTableName, versions } from "./migrations.ts";

const SCHEMA = "select oid from pg_namespace where nspname = $1";

const COLUMNS = `
  select c.relname as "table", c.relkind as kind, a.attname as "column", format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull and not a.atthasdef and a.attidentity = '' as required
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where n.nspname = $1 and c.relname = any($2::text[])`;

/** Kinds of relations that rows can be written to: a table, perhaps partitioned. */
const TABLE_KINDS = ["r", "p"];

/**
 * A change that waits for a long transaction holds up everybody behind it: it is tried again later instead.
 */
const STEP_LOCK_TIMEOUT = "set local lock_timeout = '5s'";

interface FoundColumn {
  readonly table: string;
  readonly kind: string;
  readonly column: string | null;
  readonly type: string | null;
  readonly required: boolean | null;
}

/** Where the tables are. */
export interface Target {
  readonly connection: Connection;
  readonly names: Names;
  readonly where: Where;
}

/** How messages name the database. */
export function placeOf({ name, label }: Where): string {
  return `database '${name}' (${label})`;
}

/**
 * Where the components stand; the table of versions is the first. Throws `ConfigurationError` when a table
 * exists with other columns, or the server's error.
 */
export async function schemasOf(
  target: Target,
  components: readonly PostgresComponent[],
): Promise<readonly ComponentSchema[]> {
  const { names, where } = target;
  const all = [versions(names), ...components];
  const relations = all.flatMap(({ tables, indexes }) => [...tables, ...Object.keys(indexes ?? {})]);
  const found = await columnsOf(target, relations);
  const indexes = new Set(found.map(({ table }) => table));
  const rows = indexes.has(versions(names).first.name)
    ? await recorded(target)
    : new Map<string, VersionRow>();
  return all.map((each) => {
    const row = rows.get(each.name);
    const columns = found.filter(({ table }) => table === each.first.name);
    const exists = columns.length > 0;
    if (exists && !row) requireTable(each.first, columns, names, where);
    else if (exists && row && row.version <= each.steps.length) {
      requireNames(each.first, columns, names, where);
    }
    const present = new Set(columns.flatMap(({ column }) => column ?? []));
    return componentSchema(each, { exists, row, columns: present, indexes }, schemaTableName(names));
  });
}

/**
 * Brings the components to this server's versions, each step in a transaction of its own that concurrent ones
 * wait for. Throws `ConfigurationError` where that cannot be, or must not, and the server's error.
 */
export async function migrate(target: Target, components: readonly PostgresComponent[]): Promise<void> {
  while ((await pending(target, components)).length > 0) await advance(target, components);
}

/** Those of the tables that exist. */
export async function existing(target: Target, tables: readonly string[]): Promise<readonly string[]> {
  const found = new Set((await columnsOf(target, tables)).map(({ table }) => table));
  return tables.filter((table) => found.has(table));
}

/**
 * Names of the tables of the components that are there; with the last component the table of versions goes
 * too.
 */
export async function droppable(
  target: Target,
  components: readonly PostgresComponent[],
): Promise<readonly string[]> {
  const schemas = await schemasOf(target, components);
  requireCompatible(schemas, placeOf(target.where));
  const [own] = schemas;
  const rows = own && own.version > 0 ? await recorded(target) : new Map<string, VersionRow>();
  return droppableTables(schemas, rows.keys());
}

/** Drops the tables of the components, and with them what is in them; those that are missing are none. */
export async function dropComponents(
  target: Target,
  components: readonly PostgresComponent[],
): Promise<void> {
  const { connection, names } = target;
  await underLock(target, async () => {
    const tables = await droppable(target, components);
    const remaining = versions(names).first.name;
    if (!tables.includes(remaining) && (await existing(target, [remaining])).length > 0) {
      const dropped = arrayText(components.map(({ name }) => name));
      await connection.run(`delete from ${schemaTableName(names)} where component = any($1::text[])`, [
        dropped,
      ]);
    }
    if (tables.length === 0) return;
    const text = `drop table ${tables.map((table) => names.table(table)).join(", ")}`;
    await connection.run(text, [], "simple");
  });
}

async function pending(
  target: Target,
  components: readonly PostgresComponent[],
): Promise<readonly SchemaChange[]> {
  const schemas = await schemasOf(target, components);
  requireCompatible(schemas, placeOf(target.where));
  return nextChanges(schemas);
}

async function advance(target: Target, components: readonly PostgresComponent[]): Promise<void> {
  const { connection, names } = target;
  await underLock(target, async () => {
    const [schema] = await connection.run(SCHEMA, [names.schema]);
    if (!schema) await connection.run(`create schema ${quoted(names.schema)}`, [], "simple");
    // Another process may have been first: what is to be done is known only now.
    const changes = await pending(target, components);
    if (changes.some(locksTable)) await connection.run(STEP_LOCK_TIMEOUT, [], "simple");
    for (const change of changes) await make(target, change);
  });
}

async function make({ connection, where }: Target, change: SchemaChange): Promise<void> {
  for (const statement of change.statements) {
    try {
      await connection.run(statement, [], "simple");
    } catch (error) {
      throw isStep(change) ? stepFailed(where, change, error) : error;
    }
  }
}

/** Waiting may help, or somebody has to mend it. */
function stepFailed(where: Where, change: SchemaChange, thrown: unknown): Error {
  const error = ownStatementError(where, describeChange(change), thrown);
  const passing = error instanceof UnavailableError || error instanceof ExpectedVersionError;
  return passing ? error : changeFailed(placeOf(where), change, asError(thrown));
}

/** One transaction behind the set-up lock; the caller of `Database.use` rolls it back where it fails. */
async function underLock({ connection, names }: Target, work: () => Promise<void>): Promise<void> {
  await connection.run("begin isolation level read committed read write", [], "simple");
  await connection.run("select pg_advisory_xact_lock($1, 0)", [String(names.lockKey("setup"))]);
  await work();
  await connection.run("commit", [], "simple");
}

async function columnsOf(
  { connection, names }: Target,
  relations: readonly string[],
): Promise<readonly FoundColumn[]> {
  return await connection.run(COLUMNS, [
    names.schema,
    arrayText(relations),
  ]) as unknown as readonly FoundColumn[];
}

async function recorded({ connection, names }: Target): Promise<ReadonlyMap<string, VersionRow>> {
  return versionRows(await connection.run(versionsText(schemaTableName(names)), [], "simple"));
}

/** A table with a version may have changed since its first one, but not become another. */
function requireNames(
  table: TableDefinition,
  found: readonly FoundColumn[],
  names: Names,
  where: Where,
): void {
  refuse(table, names, where, [...kindTroubles(found), ...missingColumns(table, found)]);
}

function requireTable(
  table: TableDefinition,
  found: readonly FoundColumn[],
  names: Names,
  where: Where,
): void {
  const troubles = [...kindTroubles(found), ...missingColumns(table, found)];
  for (const { name, type } of table.columns) {
    const column = found.find((candidate) => candidate.column === name);
    if (column && column.type !== type) troubles.push(`column ${name} is ${column.type} instead of ${type}`);
  }
  for (const { column, required } of found) {
    if (required && !table.columns.some(({ name }) => name === column)) {
      troubles.push(`column ${column} is unknown and must not be null`);
    }
  }
  refuse(table, names, where, troubles);
}

function kindTroubles(found: readonly FoundColumn[]): readonly string[] {
  return TABLE_KINDS.includes(found[0]?.kind ?? "") ? [] : ["it is not a table"];
}

function missingColumns(table: TableDefinition, found: readonly FoundColumn[]): readonly string[] {
  return table.columns.filter(({ name }) => !found.some(({ column }) => column === name))
    .map(({ name }) => `column ${name} is missing`);
}

function refuse(table: TableDefinition, names: Names, where: Where, troubles: readonly string[]): void {
  if (troubles.length === 0) return;
  throw new ConfigurationError(
    `The table ${names.schema}.${table.name} of database '${where.name}' (${where.label}) is not this server's: ` +
      `${troubles.join(", ")}: rename it, or give the server a schema of its own.`,
    { code: "DATABASE_TABLE_DIFFERS" },
  );
}
