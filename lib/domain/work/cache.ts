/**
 * The cache writes of one unit of work. They wait for its end, so that a handler that fails leaves none
 * behind, and go out right before the commit: a process that dies in between repeats them, one that wrote
 * them after the commit would lose them.
 *
 * @module
 */
import { compareCodePoints } from "../../message/json_format.ts";
import { type BaseCache, MOST_AT_ONCE } from "../../adapters/ports.ts";
import { type Backend, blaming } from "../backends.ts";
import { IncorrectUsageError } from "../../errors.ts";
import type { Page } from "./view_rows.ts";

interface Write {
  /** JSON text; undefined deletes. */
  readonly text: string | undefined;
  readonly ttlMs: number | undefined;
}

export class CacheWrites {
  readonly #caches: ReadonlyMap<string, BaseCache>;
  readonly #writes = new Map<string, Map<string, Write>>();

  constructor(caches: ReadonlyMap<string, BaseCache>) {
    this.#caches = caches;
  }

  /** The value, own writes included. */
  async get(cache: string, key: string): Promise<string | undefined> {
    const write = this.#writes.get(cache)?.get(key);
    return write ? write.text : await blaming(of(cache), this.#cache(cache).get(key));
  }

  /** As `get`, of several: a value for each key, in their order. */
  async getMany(cache: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const own = this.#writes.get(cache);
    const unknown = keys.filter((key) => !own?.has(key));
    const found = new Map<string, string | undefined>();
    for (let at = 0; at < unknown.length; at += MOST_AT_ONCE) {
      const some = unknown.slice(at, at + MOST_AT_ONCE);
      const values = await blaming(of(cache), read(this.#cache(cache), some));
      some.forEach((key, index) => found.set(key, values[index]));
    }
    return keys.map((key) => own?.has(key) ? own.get(key)?.text : found.get(key));
  }

  write(cache: string, key: string, text: string | undefined, ttlMs?: number): void {
    this.#cache(cache);
    let writes = this.#writes.get(cache);
    if (!writes) this.#writes.set(cache, writes = new Map());
    writes.set(key, { text, ttlMs });
  }

  /**
   * Entries whose keys begin with `prefix`, in order of key, those behind `prefix + after`, own writes
   * included.
   */
  async list(
    cache: string,
    prefix: string,
    { after, limit }: Page,
  ): Promise<{ key: string; text: string }[]> {
    const own = [...this.#writes.get(cache) ?? []].filter(([key]) =>
      key.startsWith(prefix) && (after === undefined || compareCodePoints(key, prefix + after) > 0)
    );
    const options = { limit: limit + own.length };
    const range = after === undefined ? options : { ...options, after: prefix + after };
    const stored = await blaming(of(cache), this.#cache(cache).keys(prefix, range));
    const keys = [...new Set([...stored, ...own.map(([key]) => key)])].sort(compareCodePoints);
    const entries: { key: string; text: string }[] = [];
    for (const key of keys) {
      if (entries.length === limit) break;
      // Gone since it was listed, or deleted here.
      const text = await this.get(cache, key);
      if (text !== undefined) entries.push({ key, text });
    }
    return entries;
  }

  /**
   * Writes everything. `assertMayCommit` is asked before each write, and what it throws ends them; `written`
   * is told of each cache.
   */
  async flush(assertMayCommit: () => void, written?: (backend: Backend) => void): Promise<void> {
    for (const [name, writes] of this.#writes) {
      const cache = this.#cache(name);
      for (const [key, { text, ttlMs }] of writes) {
        assertMayCommit();
        const change: Promise<unknown> = text === undefined ? cache.delete(key) : cache.set(key, text, ttlMs);
        await blaming(of(name), change);
      }
      written?.(of(name));
    }
    this.#writes.clear();
  }

  #cache(name: string): BaseCache {
    const cache = this.#caches.get(name);
    if (cache) return cache;
    throw new IncorrectUsageError(`There is no cache '${name}': configure it as [caches.${name}].`);
  }
}

async function read(cache: BaseCache, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
  if (cache.getMany) return await cache.getMany(keys);
  const values: (string | undefined)[] = [];
  for (const key of keys) values.push(await cache.get(key));
  return values;
}

function of(cache: string): Backend {
  return { kind: "cache", name: cache };
}
