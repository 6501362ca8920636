/**
 * A cache in this process's memory (wire 5).
 *
 * @module
 */
import { cacheTtl } from "../cache_ttl.ts";
import { compareCodePoints } from "../../message/json_format.ts";
import { type AdapterOptions, BaseCache } from "../ports.ts";

interface Entry {
  readonly value: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/**
 * Expired entries are swept when the cache has grown to twice what lived in it last time, and to no less than
 * this.
 */
const SWEEP_AT_LEAST = 1000;

export class MemoryCache extends BaseCache {
  readonly #entries = new Map<string, Entry>();
  /** Milliseconds. */
  readonly #ttl: number;
  #sweepAt = SWEEP_AT_LEAST;

  /** Reads `TTL` in seconds (default 300). Throws `ConfigurationError`. */
  constructor(options: AdapterOptions) {
    super(options);
    this.#ttl = cacheTtl(options);
  }

  ping(signal: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => signal.throwIfAborted());
  }

  get(key: string): Promise<string | undefined> {
    return Promise.resolve(this.#live(key)?.value);
  }

  override getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return Promise.resolve(keys.map((key) => this.#live(key)?.value));
  }

  set(key: string, value: string, ttlMs: number = this.#ttl): Promise<void> {
    this.#entries.set(key, { value, expiresAt: this.options.clock.now() + ttlMs });
    if (this.#entries.size >= this.#sweepAt) this.#sweep();
    return Promise.resolve();
  }

  delete(key: string): Promise<boolean> {
    const live = this.#live(key) !== undefined;
    this.#entries.delete(key);
    return Promise.resolve(live);
  }

  ttl(key: string): Promise<number | undefined> {
    const entry = this.#live(key);
    return Promise.resolve(entry && entry.expiresAt - this.options.clock.now());
  }

  keys(
    prefix: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    const { after, limit } = options;
    const keys = [...this.#entries.keys()]
      .filter((key) => key.startsWith(prefix) && (after === undefined || compareCodePoints(key, after) > 0))
      .filter((key) => this.#live(key))
      .sort(compareCodePoints);
    return Promise.resolve(keys.slice(0, limit));
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.expiresAt > this.options.clock.now() ? entry : undefined;
  }

  #sweep(): void {
    for (const key of this.#entries.keys()) if (!this.#live(key)) this.#entries.delete(key);
    this.#sweepAt = Math.max(SWEEP_AT_LEAST, this.#entries.size * 2);
  }
}
