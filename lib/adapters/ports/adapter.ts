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
