/**
 * Defaults that depend on the domain, on other keys or on where the process runs (design 6, delivery 14 and
 * 15).
 *
 * @module
 */
import { normalizedDomain } from "../message/names.ts";
import { drainTimeout } from "./rules.ts";
import { isTable, merge, type Table, tableAt } from "./tree.ts";

/** What derived defaults depend on besides the configuration itself. */
export interface Surroundings {
  /** The domain's name. */
  readonly domain: string;
  /** Inside Kubernetes the health listener has to be reachable from outside the pod's loopback. */
  /** Address of the cluster's API, which Kubernetes gives every container; undefined outside of it. */
  readonly kubernetes: string | undefined;
  /** `PROTEAN_RELEASE`. */
  readonly release?: string | undefined;
}

/** Adds what is not set. What is set is left alone, however wrong: the schema judges it afterwards. */
export function complete(tree: Table, { domain, kubernetes, release }: Surroundings): Table {
  const name = normalizedDomain(domain) || "domain";
  const databases = named(tree, "databases", "database_uri", (database) => ({
    provider: "sqlite",
    database_uri: `sqlite:///${database === "default" ? name : `${name}-${fileName(database)}`}.db`,
  }));
  const main = tableAt(databases, ["default"]);
  const streams = streamsBeside(main, name);
  const brokers = named(tree, "brokers", "URI", () => streams);
  const cache = cacheBeside(tableAt(brokers, ["default"]), streams);
  const defaults: Record<string, Table> = {
    databases,
    brokers,
    caches: named(tree, "caches", "URI", () => cache),
    ...eventStore(tree, main, name),
    server: {
      ...drainTimeout(tree),
      ...(release && { release }),
      ...(kubernetes && { health: { host: everyAddress(kubernetes) } }),
    },
  };
  return merge(defaults, tree);
}

/**
 * The tables of a section, `default` always among them, each filled up with what it would be if nothing were
 * set. Only a table that names no provider is given one, and only where that fits the URI it names.
 */
function named(tree: Table, section: string, uri: string, unset: (name: string) => Table): Table {
  const tables: Table = { default: {}, ...tableAt(tree, [section]) };
  return Object.fromEntries(
    Object.entries(tables).flatMap(([name, table]) =>
      isTable(table) ? [[name, filled(name, table, uri, unset(name))]] : []
    ),
  );
}

function filled(name: string, table: Table, uri: string, unset: Table): Table {
  const provider = providerOf(table);
  const fits = table[uri] === undefined || String(table[uri]).startsWith(`${unset["provider"]}`);
  if (provider === unset["provider"] || (provider === undefined && name === "default" && fits)) {
    // What belongs to another address is of no use to its own.
    return { ...(table[uri] === undefined ? unset : { provider: unset["provider"] }), ...table };
  }
  return table;
}

/** Broker and cache beside the database: in memory as it is, else in an SQLite file next to its own. */
function streamsBeside(database: Table, name: string): Table {
  if (providerOf(database) === "memory") return { provider: "memory" };
  const file = providerOf(database) === "sqlite" ? String(database["database_uri"]) : `sqlite:///${name}.db`;
  return { provider: "sqlite", URI: file.replace(/(\.db|\.sqlite3?)?(\?.*)?$/, "-streams$1") };
}

/**
 * The cache is where the broker is: a file of its own would be seen by one pod only, and none can be written
 * where the file system is read-only.
 */
function cacheBeside(broker: Table, streams: Table): Table {
  const { URI, tls_ca_file } = broker;
  if (providerOf(broker) !== "redis" || URI === undefined) return streams;
  return { provider: "redis", URI, ...(tls_ca_file !== undefined && { tls_ca_file }) };
}

/**
 * Events go where the database is embedded, into the same file. Where database and broker are both servers
 * there is no event store unless it is named (delivery 15).
 */
function eventStore(tree: Table, database: Table, name: string): Record<string, Table> {
  const table = tree["event_store"];
  if (table !== undefined && !isTable(table)) return {};
  const provider = providerOf(database);
  const embedded = provider === "sqlite" || provider === "memory";
  const broker = providerOf(tableAt(tree, ["brokers", "default"]));
  if (table === undefined && !embedded && broker !== undefined) return {};
  const unset = provider === "memory"
    ? { provider }
    : { provider: "sqlite", database_uri: embedded ? database["database_uri"] : `sqlite:///${name}.db` };
  return { event_store: filled("default", table ?? {}, "database_uri", unset) };
}

function providerOf(table: Table): string | undefined {
  const provider = table["provider"];
  if (typeof provider !== "string") return undefined;
  return provider === "inline" ? "memory" : provider;
}

/** A part of a file name that is safe on every system. */
function fileName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]+/g, "_");
}

/**
 * Where probes come from in a pod: of the family that its cluster speaks. `::` takes both where a pod has
 * both.
 */
function everyAddress(service: string): string {
  return service.includes(":") ? "::" : "0.0.0.0";
}
