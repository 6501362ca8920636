/**
 * Versions of tables as `db status` and `db upgrade` show them.
 *
 * @module
 */
import type { BaseAdapter, ComponentSchema, SchemaChange, TableSpec } from "../adapters/ports.ts";
import { isStep } from "../adapters/migrations.ts";
import type { DomainRuntime } from "../domain/runtime.ts";

/** An adapter that may have tables. */
export interface Place {
  /** `database 'default'`. */
  readonly label: string;
  readonly kind: "database" | "broker" | "cache" | "event_store";
  readonly adapter: BaseAdapter;
  /** Those of the domain that it holds. */
  readonly tables: readonly TableSpec[];
}

export interface PlaceSchema extends Place {
  readonly components: readonly ComponentSchema[];
}

/** Every adapter of a domain, databases first. */
export function placesOf(
  { providers, brokers, caches, eventStore, tables }: DomainRuntime,
): readonly Place[] {
  const place = (kind: Place["kind"]) => (adapter: BaseAdapter): Place => ({
    label: `${kind.replace("_", " ")} '${adapter.name}'`,
    kind,
    adapter,
    tables: kind === "database" ? tables.get(adapter.name) ?? [] : [],
  });
  return [
    ...[...providers.values()].map(place("database")),
    ...[...brokers.values()].map(place("broker")),
    ...[...caches.values()].map(place("cache")),
    ...(eventStore ? [eventStore] : []).map(place("event_store")),
  ];
}

/** Where the tables of each place stand. */
export async function schemasOf(places: readonly Place[]): Promise<readonly PlaceSchema[]> {
  const schemas: PlaceSchema[] = [];
  for (const place of places) {
    schemas.push({ ...place, components: await place.adapter.schema(place.tables) });
  }
  return schemas;
}

export function componentRows(schemas: readonly PlaceSchema[]): string[][] {
  return schemas.flatMap(({ label, components }) =>
    components.map(({ component, version, latest, state }) => [
      label,
      component,
      version === 0 ? "-" : String(version),
      String(latest),
      state,
    ])
  );
}

export function componentJson({ kind, adapter, components }: PlaceSchema): readonly unknown[] {
  return components.map(({ component, tables, version, latest, compatible, state }) => ({
    adapter: kind,
    name: adapter.name,
    component,
    tables,
    version,
    latest,
    compatible,
    state,
  }));
}

export function changeJson({ kind, adapter }: Place, change: SchemaChange): unknown {
  return { adapter: kind, name: adapter.name, ...change };
}

/**
 * SQL that may be run by hand: each change in a transaction of its own, below a comment that says what it is.
 */
export function changeSql({ label }: Place, change: SchemaChange): string {
  const { component, from, to, additive, title, statements } = change;
  const versions = isStep(change)
    ? `, version ${from} to ${to}, ${additive ? "additive" : "not additive"}`
    : "";
  return [
    `-- ${label}: ${component}${versions}: ${title}`,
    "begin;",
    ...statements.map((statement) => `${statement};`),
    "commit;",
  ].join("\n") + "\n";
}
