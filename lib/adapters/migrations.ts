/**
 * Versions of tables, whatever the database: each component of a schema has numbered steps, and a row of
 * `protean_schema` that says which were made. A dialect looks at what is there, asks here what to do, and
 * does it under its set-up lock.
 *
 * A database of version 0.1.0 has no `protean_schema`: what it has is version 1 of every component.
 *
 * @module
 */
import { ConfigurationError } from "../errors.ts";
import type { ComponentSchema, SchemaChange, SchemaState } from "./ports.ts";

/** The table of the versions. Its columns may only ever become more: every older server reads it. */
export const SCHEMA_TABLE = "protean_schema";

/** One step from a version to the next. */
export interface Step {
  /** What it does: `add the column checksum`. */
  readonly title: string;
  /**
   * A server that does not know it works on: new columns are null or have a default, and nothing that it
   * reads or writes is gone or means something else.
   */
  readonly additive: boolean;
  /**
   * The column of the component's first table that it adds, and that no later step takes away: what shows
   * whether it was made, whatever is recorded. Absent: only the record shows it.
   */
  readonly adds?: string;
  /** Run in one transaction, together with the row that records the version. */
  readonly statements: readonly string[];
}

const CREATE = "create it";

/** The first step of a component. */
export function creation(...statements: readonly string[]): Step {
  return { title: CREATE, additive: true, statements };
}

/** What has a version of its own. */
export interface Component {
  /** Stable: it stands in the database. Tables of aggregates and views go by their own names. */
  readonly name: string;
  readonly tables: readonly string[];
  /** The first makes version 1. Released steps never change; a new one is added at the end. */
  readonly steps: readonly [Step, ...Step[]];
  /**
   * Indexes of the newest version that are for speed alone, by name, with the statements that create them.
   * They are no steps: one that is missing is made, whenever that is noticed.
   */
  readonly indexes?: Readonly<Record<string, string>>;
}

/** A component's row in `protean_schema`. */
export interface VersionRow {
  readonly version: number;
  /** The lowest version that a server must know to work with it. */
  readonly compatible: number;
}

/** Reads every row of the table of versions, which is `schemaTable` in SQL. Both dialects understand it. */
export function versionsText(schemaTable: string): string {
  return `select component, version, compatible from ${schemaTable}`;
}

/** What `versionsText` has found, by the name of the component. */
export function versionRows(
  rows: readonly Readonly<Record<string, unknown>>[],
): ReadonlyMap<string, VersionRow> {
  return new Map(
    rows.map(({ component, version, compatible }) => [
      String(component),
      { version: Number(version), compatible: Number(compatible) },
    ]),
  );
}

/** What a dialect has found of a component. */
export interface Found {
  /** Its tables are there. */
  readonly exists: boolean;
  readonly row: VersionRow | undefined;
  /** Names of the columns of its first table. */
  readonly columns: ReadonlySet<string>;
  /** Names of indexes that are there. */
  readonly indexes: ReadonlySet<string>;
}

/** Judges one component. `schemaTable` is the name of `protean_schema` in SQL. */
export function componentSchema(component: Component, found: Found, schemaTable: string): ComponentSchema {
  const { name, tables, steps } = component;
  const latest = steps.length;
  const version = found.exists ? versionOf(component, found) : 0;
  const compatible = version === 0 ? 0 : found.row?.compatible ?? 1;
  const pending = changes(component, found, version, schemaTable);
  return {
    component: name,
    tables,
    version,
    latest,
    compatible,
    state: stateOf({ version, latest, compatible, pending }),
    pending,
  };
}

/**
 * The version of tables that are there. A record may say less than is there, where it was lost, and more,
 * where a server of version 0.1.0, which knows of no records, has dropped the tables and made them again.
 */
function versionOf({ steps }: Component, { row, columns }: Found): number {
  let version = row?.version ?? 1;
  if (version > steps.length) return version;
  const lacking = steps.slice(0, version).findIndex(({ adds }) => adds !== undefined && !columns.has(adds));
  if (lacking >= 0) return lacking;
  for (const { adds } of steps.slice(version)) {
    if (adds === undefined || !columns.has(adds)) break;
    version++;
  }
  return version;
}

/**
 * What may be done in the next transaction: everything that creates, restores or records, or else one step.
 * Empty: nothing is to be done.
 */
export function nextChanges(schemas: readonly ComponentSchema[]): readonly SchemaChange[] {
  const first = schemas.flatMap(({ pending: [change] }) => change ?? []);
  const harmless = first.filter((change) => !isStep(change));
  return harmless.length > 0 ? harmless : first.slice(0, 1);
}

/** Changes what is there, instead of creating, restoring or recording. */
export function isStep({ from, to }: SchemaChange): boolean {
  return from > 0 && to > from;
}

/** Needs a lock on a table that is there, behind which those wait who use it. */
export function locksTable(change: SchemaChange): boolean {
  return change.from > 0 && !isRecording(change);
}

/** Only writes down what is there. */
function isRecording({ from, to, statements }: SchemaChange): boolean {
  return from === to && statements.length === 1;
}

/** For messages: `making outbox version 2 (add the column checksum)`. */
export function describeChange({ component, to, title }: SchemaChange): string {
  return `making ${component} version ${to} (${title})`;
}

/** A change that was refused, and undone; `cause` is the database's own. */
export function changeFailed(place: string, change: SchemaChange, cause: Error): ConfigurationError {
  return new ConfigurationError(
    `Upgrading ${place} failed, ${
      describeChange(change)
    }, which leaves it at version ${change.from}: ${cause.message}: ` +
      "mend that, then run 'protean-server db upgrade'.",
    { code: "DATABASE_UPGRADE_FAILED", cause },
  );
}

/**
 * Throws `ConfigurationError` where a newer server has changed a component so that this one cannot work with
 * it.
 */
export function requireCompatible(schemas: readonly ComponentSchema[], place: string): void {
  const newer = schemas.find(({ state }) => state === "incompatible");
  if (!newer) return;
  const { component, version, compatible, latest } = newer;
  const needed = compatible === version ? "" : `, which needs a server that knows version ${compatible}`;
  throw new ConfigurationError(
    `The ${component} of ${place} has schema version ${version}${needed}, and this server knows up to ${latest}: ` +
      "start the newer server that has upgraded it, or restore a backup from before that.",
    { code: "DATABASE_SCHEMA_NEWER" },
  );
}

/** Throws `ConfigurationError` where tables that are there wait for a step that only an operator makes. */
export function requireUpgraded(schemas: readonly ComponentSchema[], place: string): void {
  const older = schemas.find(({ pending }) => pending.some(isStep));
  if (!older) return;
  const { component, version, latest } = older;
  throw new ConfigurationError(
    `The ${component} of ${place} has schema version ${version}, and this server needs ${latest}: ` +
      "run 'protean-server db upgrade'.",
    { code: "DATABASE_SCHEMA_OLDER" },
  );
}

function stateOf(
  { version, latest, compatible, pending }: Pick<
    ComponentSchema,
    "version" | "latest" | "compatible" | "pending"
  >,
): SchemaState {
  if (version === 0) return "missing";
  if (version > latest) return compatible > latest ? "incompatible" : "newer";
  return pending.every(isRecording) ? "current" : "behind";
}

function changes(
  component: Component,
  { row, indexes: found }: Found,
  version: number,
  schemaTable: string,
): readonly SchemaChange[] {
  const { name, steps, indexes = {} } = component;
  const latest = steps.length;
  // What a newer server has made is left alone: it knows better which indexes there should be.
  if (version > latest) return [];
  const record = (to: number) => recording(component, to, schemaTable);
  const all = Object.entries(indexes);
  if (version === 0) {
    const statements = [
      ...steps.flatMap((step) => step.statements),
      ...all.map(([, sql]) => sql),
      record(latest),
    ];
    return [{ component: name, from: 0, to: latest, additive: true, title: CREATE, statements }];
  }
  const pending: SchemaChange[] = steps.slice(version).map(({ title, additive, statements }, index) => {
    const to = version + index + 1;
    return { component: name, from: to - 1, to, additive, title, statements: [...statements, record(to)] };
  });
  const missing = all.filter(([index]) => !found.has(index));
  const restored = { component: name, from: latest, to: latest, additive: true };
  if (missing.length > 0) {
    const title = `create ${missing.map(([index]) => index).join(", ")}`;
    pending.push({ ...restored, title, statements: [...missing.map(([, sql]) => sql), record(latest)] });
  } else if (row?.version !== version && version === latest) {
    pending.push({ ...restored, title: "record its version", statements: [record(latest)] });
  }
  return pending;
}

/** Both dialects understand it. */
function recording({ name, steps }: Component, version: number, schemaTable: string): string {
  const breaking = steps.slice(0, version).findLastIndex(({ additive }) => !additive);
  return `insert into ${schemaTable} (component, version, compatible, changed_at) ` +
    `values (${literal(name)}, ${version}, ${Math.max(1, breaking + 1)}, current_timestamp) ` +
    "on conflict (component) do update set version = excluded.version, compatible = excluded.compatible, " +
    "changed_at = excluded.changed_at";
}

/**
 * Names of the tables that go when the components are dropped: those that are there, and with the last
 * component the table of versions. That one's schema comes first; `recorded` are the components that it
 * names.
 */
export function droppableTables(
  [own, ...given]: readonly ComponentSchema[],
  recorded: Iterable<string>,
): readonly string[] {
  const tables = given.filter(({ version }) => version > 0).flatMap((each) => each.tables);
  if (!own || own.version === 0) return tables;
  const names = new Set([own, ...given].map(({ component }) => component));
  const others = [...recorded].some((name) => !names.has(name));
  return others ? tables : [...tables, ...own.tables];
}

/** A text in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
