/**
 * The port of caches.
 *
 * @module
 */
import { BaseAdapter } from "./adapter.ts";

/** Keys and JSON text values with a time to live (wire 5). */
export abstract class BaseCache extends BaseAdapter {
  abstract get(key: string): Promise<string | undefined>;
  /**
   * As `get`, of several in one step: a value for each key, in their order. At most a thousand. Absent: they are
   * read one by one.
   */
  getMany?(keys: readonly string[]): Promise<readonly (string | undefined)[]>;
  /** `ttlMs` defaults to the cache's own `TTL`. */
  abstract set(key: string, value: string, ttlMs?: number): Promise<void>;
  abstract delete(key: string): Promise<boolean>;
  /** Milliseconds left; undefined: no such key; Infinity: never expires. */
  abstract ttl(key: string): Promise<number | undefined>;
  /** Live keys that begin with `prefix`, ascending, after `after`, at most `limit`. */
  abstract keys(
    prefix: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]>;
}
