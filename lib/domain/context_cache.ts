/**
 * `ctx.cache`: JSON values in the cache called `default`.
 *
 * @module
 */
import type { ContextCache } from "./types.ts";
import { jsonText } from "./schema.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

const DEFAULT = "default";

export class ContextCacheWrites implements ContextCache {
  readonly #work: UnitOfWork;

  constructor(work: UnitOfWork) {
    this.#work = work;
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    const text = await this.#work.cache((cache) => cache.get(DEFAULT, key));
    return text === undefined ? undefined : JSON.parse(text) as T;
  }

  async set(key: string, value: unknown, options: { ttlMs?: number } = {}): Promise<void> {
    const text = jsonText(value, `The cached value '${key.slice(0, 100)}'`);
    await this.#work.cache((cache) => cache.write(DEFAULT, key, text, options.ttlMs));
  }

  async delete(key: string): Promise<void> {
    await this.#work.cache((cache) => cache.write(DEFAULT, key, undefined));
  }
}
