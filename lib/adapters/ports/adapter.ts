/**
 * What every adapter has in common.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import type { ComponentSchema, TableSpec } from "./schema.ts";

export type AdapterKind = "provider" | "broker" | "cache" | "event_store";

/** What every adapter is constructed with. */
export interface AdapterOptions {
  /** The key in `domain.toml`: `default`, `analytics`, … */
  readonly name: string;
  /** The normalized domain name, such as `my_domain`. */
  readonly domain: string;
  /** The adapter's own table of `domain.toml`, validated, snake-case keys. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Absolute folder that relative paths and SQLite URIs are relative to. */
  readonly folder: string;
  readonly clock: Clock;
  /** What the adapters of one domain have in common, each under a key of its own. @default nothing */
  readonly shared?: Map<string, unknown>;
  /**
   * False: `open` neither creates nor upgrades tables; whoever opens it looks at them first, or calls
   * `upgrade`. @default true
   */
  readonly migrate?: boolean;
}

/** How many connections of a server one process of ours opens at most. */
export interface ConnectionNeed {
  /** What answers there, such as `db.example:5432`: adapters of one server share its limit. */
  readonly server: string;
  /** Connections kept open: `pool_size`, or `max_connections`. */
  readonly pool: number;
  /** The adapters that one process has at the server share the pool: the largest counts for all of them. */
  readonly isShared?: boolean;
  /** Further ones under load: `max_overflow`. */
  readonly overflow: number;
  /** Those beside the pool, and what they are for. */
  readonly beside: readonly { readonly count: number; readonly what: string }[];
}

/** What a server tells of itself; what it does not tell is absent. */
export interface ServerFacts {
  /** `PostgreSQL`, `Redis`. */
  readonly product: string;
  readonly version?: string;
  /** Connections it takes in all. */
  readonly maxConnections?: number;
  /** Of these, how many are kept for administrators. */
  readonly reservedConnections?: number;
  /** Connections that somebody else holds now, by application; this server's own are not among them. */
  readonly others?: readonly { readonly application: string; readonly connections: number }[];
  /** In bytes. */
  readonly usedMemory?: number;
  /** In bytes; 0: as much as the machine has. */
  readonly maxMemory?: number;
  /** Redis' `maxmemory-policy`. */
  readonly evictionPolicy?: string;
  /** Connections of clients that are open now. */
  readonly connectedClients?: number;
  readonly uptimeSeconds?: number;
  /** As the server measures them just now. */
  readonly operationsPerSecond?: number;
}

export abstract class BaseAdapter {
  readonly name: string;

  constructor(protected readonly options: AdapterOptions) {
    this.name = options.name;
  }

  /**
   * Prepares the adapter. It need not reach the backend: a server started before its database comes up by
   * itself (HLT-3). Throws `ConfigurationError` for what no waiting mends (a bad URI, an unwritable or
   * corrupt file).
   */
  open(_signal?: AbortSignal): Promise<void> {
    return Promise.resolve();
  }

  /**
   * One real operation against the backend. Rejects with the reason when it does not answer before `signal`
   * aborts.
   */
  abstract ping(signal: AbortSignal): Promise<void>;

  /**
   * What one process needs of the server's connections, from the settings alone. Undefined: there is no server.
   *
   * @param use `outboxProcessors` is how many publish from this database in one process.
   */
  connectionNeed(_use: { readonly outboxProcessors: number }): ConnectionNeed | undefined {
    return undefined;
  }

  /**
   * Asks the server about itself. Undefined: there is no server, or it does not say. Rejects where it does not
   * answer before `signal` aborts.
   */
  serverFacts(_signal: AbortSignal): Promise<ServerFacts | undefined> {
    return Promise.resolve(undefined);
  }

  /**
   * Where the adapter's own tables stand, and `tables` with them; empty where it has none. Changes nothing.
   */
  schema(_tables: readonly TableSpec[]): Promise<readonly ComponentSchema[]> {
    return Promise.resolve([]);
  }

  /**
   * Makes everything that `schema` tells as pending; safe to run concurrently, and to repeat. Throws
   * `ConfigurationError` with the code `DATABASE_SCHEMA_NEWER` where a newer server has changed a table so
   * that this one cannot work with it.
   */
  upgrade(_tables: readonly TableSpec[]): Promise<void> {
    return Promise.resolve();
  }

  /** Idempotent. Frees sockets, files and timers. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
