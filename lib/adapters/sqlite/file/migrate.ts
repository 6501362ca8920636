/**
 * Versions of the tables in one SQLite file. What is there is looked at without locking anything; changes are
 * made in write transactions, which other processes wait for.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { asError, ConfigurationError } from "../../../errors.ts";
import {
  changeFailed,
  type Component,
  componentSchema,
  creation,
  droppableTables,
  nextChanges,
  requireCompatible,
  SCHEMA_TABLE,
  type VersionRow,
  versionRows,
  versionsText,
} from "../../migrations.ts";
import type { ComponentSchema, SchemaChange } from "../../ports.ts";
import type { SqliteDatabase } from "./database.ts";
import { fileOf, prepare } from "./older_runtime.ts";
import { fileTrouble, isBusy, sqliteCode } from "./sqlite_error.ts";

export interface SqliteComponent extends Component {
  /** By table, columns of every version that tell ours from somebody else's. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
}

const versions = component({
  name: "schema",
  columns: { [SCHEMA_TABLE]: ["component", "version", "compatible", "changed_at"] },
  steps: [creation(
    `CREATE TABLE IF NOT EXISTS ${SCHEMA_TABLE} (component text NOT NULL PRIMARY KEY, version integer NOT NULL,
  compatible integer NOT NULL, changed_at text NOT NULL)`,
  )],
});

/** A component whose tables are those of `columns`. */
export function component(parts: Omit<SqliteComponent, "tables">): SqliteComponent {
  return { ...parts, tables: Object.keys(parts.columns) };
}

/** An identifier in SQL text. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Where the components stand; the table of versions is the first. Throws `ConfigurationError` when other
 * tables have their names.
 */
export function schemasOf(
  db: DatabaseSync,
  components: readonly SqliteComponent[],
): readonly ComponentSchema[] {
  const names = prepare(db, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'index')").all();
  const relations = new Set(names.map(({ name }) => String(name)));
  requireColumns(db, versions, relations);
  const rows = relations.has(SCHEMA_TABLE) ? recorded(db) : new Map<string, VersionRow>();
  return [versions, ...components].map((each) => {
    const row = rows.get(each.name);
    const exists = each.tables.some((table) => relations.has(table));
    if (exists && (row?.version ?? 1) <= each.steps.length) requireColumns(db, each, relations);
    const columns = new Set(columnsOf(db, each.tables[0] ?? ""));
    return componentSchema(each, { exists, row, columns, indexes: relations }, SCHEMA_TABLE);
  });
}

/**
 * Brings the components to this server's versions. Throws `ConfigurationError` where that cannot be, or must
 * not.
 */
export async function migrate(
  database: SqliteDatabase,
  components: readonly SqliteComponent[],
): Promise<void> {
  let more = await database.read((db) => pending(db, components).length > 0);
  while (more) more = await database.write((db) => upgradeOnce(db, components), { notify: false });
}

/** Makes what belongs into one transaction, inside the caller's; true when more is to be done in the next. */
export function upgradeOnce(db: DatabaseSync, components: readonly SqliteComponent[]): boolean {
  // Another process may have been first: what is to be done is known only now.
  for (const change of pending(db, components)) make(db, change);
  return pending(db, components).length > 0;
}

/**
 * Names of the tables of the components that are there; with the last component the table of versions goes
 * too.
 */
export function droppable(db: DatabaseSync, components: readonly SqliteComponent[]): readonly string[] {
  const schemas = schemasOf(db, components);
  requireCompatible(schemas, placeOf(db));
  const [own] = schemas;
  const rows = own && own.version > 0 ? recorded(db) : new Map<string, VersionRow>();
  return droppableTables(schemas, rows.keys());
}

/** Drops the tables of the components, and with them what is in them; those that are missing are none. */
export function dropComponents(db: DatabaseSync, components: readonly SqliteComponent[]): void {
  const tables = droppable(db, components);
  if (!tables.includes(SCHEMA_TABLE) && isTable(db, SCHEMA_TABLE)) {
    const forget = prepare(db, `DELETE FROM ${SCHEMA_TABLE} WHERE component = ?`);
    for (const { name } of components) forget.run(name);
  }
  for (const table of tables) prepare(db, `DROP TABLE IF EXISTS ${quoted(table)}`).run();
}

export function isTable(db: DatabaseSync, name: string): boolean {
  return prepare(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

/** How messages name the file. */
export function placeOf(db: DatabaseSync): string {
  return `the SQLite file ${fileOf(db)}`;
}

function pending(db: DatabaseSync, components: readonly SqliteComponent[]): readonly SchemaChange[] {
  const schemas = schemasOf(db, components);
  requireCompatible(schemas, placeOf(db));
  return nextChanges(schemas);
}

function make(db: DatabaseSync, change: SchemaChange): void {
  try {
    for (const sql of change.statements) prepare(db, sql).run();
  } catch (cause) {
    if (sqliteCode(cause) === undefined || isBusy(cause) || fileTrouble(cause) !== undefined) throw cause;
    throw changeFailed(placeOf(db), change, asError(cause));
  }
}

function recorded(db: DatabaseSync): ReadonlyMap<string, VersionRow> {
  return versionRows(prepare(db, versionsText(SCHEMA_TABLE)).all());
}

function columnsOf(db: DatabaseSync, table: string): readonly string[] {
  return prepare(db, "SELECT name FROM pragma_table_info(?)").all(table).map(({ name }) => String(name));
}

function requireColumns(
  db: DatabaseSync,
  { columns }: SqliteComponent,
  relations: ReadonlySet<string>,
): void {
  const tables = Object.entries(columns);
  if (!tables.some(([table]) => relations.has(table))) return;
  for (const [table, wanted] of tables) {
    const found = columnsOf(db, table);
    const missing = wanted.filter((column) => !found.includes(column));
    if (missing.length === 0) continue;
    throw new ConfigurationError(
      `The table ${table} in ${fileOf(db)} is not this server's, as it lacks ${missing.join(", ")}: ` +
        "rename it, or give the server a file of its own.",
      { code: "DATABASE_TABLE_DIFFERS" },
    );
  }
}
