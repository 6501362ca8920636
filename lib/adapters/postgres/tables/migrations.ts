/**
 * Versions of the tables (wire 3.2, delivery 17). `ddl.ts` has the first of each, as version 0.1.0 has made
 * them.
 *
 * @module
 */
import { type Component, creation, SCHEMA_TABLE, type Step } from "../../migrations.ts";
import type { Names } from "../connection/names.ts";
import {
  indexCreation,
  outboxTable,
  processedTable,
  rowTable,
  schemaTable,
  tableCreation,
  type TableDefinition,
} from "./ddl.ts";

export interface PostgresComponent extends Component {
  /** Its table in version 1, by which one is recognised that has no version yet. */
  readonly first: TableDefinition;
}

/** The table of the versions, which is a component itself. */
export function versions(names: Names): PostgresComponent {
  return component("schema", schemaTable, names);
}

/** What the server has in every database. */
export function ownComponents(names: Names): readonly PostgresComponent[] {
  return [
    outboxComponent(names),
    component("marks", processedTable, names, {
      // To tell a message from another one that has come by its id (D24): null where it was not kept.
      title: "add the column checksum",
      additive: true,
      adds: "checksum",
      statements: [`alter table ${names.processed} add column checksum text`],
    }),
  ];
}

/**
 * A stream's name is as long as somebody likes, and an entry of an index is not: so the one that finds failed
 * rows by their stream has only the beginning of it.
 */
function outboxComponent(names: Names): PostgresComponent {
  const retry = "protean_outbox_retry";
  const first = component("outbox", outboxTable, names, {
    title: "let failed rows be found by the beginning of their stream's name",
    additive: true,
    // It is made anew as any index that is missing.
    statements: [`drop index if exists ${names.table(retry)}`],
  });
  const on = `(target_broker, ${streamKey("stream_name")}, seq) where next_retry_at is not null`;
  return {
    ...first,
    indexes: { ...first.indexes, [retry]: indexCreation(outboxTable, { name: retry, on }, names) },
  };
}

/** What `protean_outbox_retry` has of a stream's name, in SQL. */
export function streamKey(column: string): string {
  return `left(${column}, 200)`;
}

/** The table of an aggregate or a view, under its own name. */
export function rowComponent(table: string, names: Names): PostgresComponent {
  return component(table, rowTable(table), names);
}

/** A component with one table and what has become of it since. */
export function component(
  name: string,
  first: TableDefinition,
  names: Names,
  ...later: readonly Step[]
): PostgresComponent {
  const indexes = (first.indexes ?? []).map((index) => [index.name, indexCreation(first, index, names)]);
  return {
    name,
    first,
    tables: [first.name],
    steps: [creation(tableCreation(first, names)), ...later],
    indexes: Object.fromEntries(indexes),
  };
}

/** `protean_schema` in SQL. */
export function schemaTableName(names: Names): string {
  return names.table(SCHEMA_TABLE);
}
