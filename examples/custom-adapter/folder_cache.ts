/**
 * A cache of one's own: a folder with one file for each key. Several processes may share it.
 *
 * ```toml
 * [caches.default]
 * provider = "./folder_cache.js#FolderCache"
 * folder = "cache"
 * TTL = 300
 * ```
 *
 * @module
 */
import {
  type AdapterOptions,
  BaseCache,
  cacheTtl,
  compareCodePoints,
  ConfigurationError,
  UnavailableError,
} from "@protean/server/adapters";

interface Entry {
  readonly key: string;
  readonly value: string;
  /** Epoch ms; null never comes. */
  readonly expiresAt: number | null;
}

export class FolderCache extends BaseCache {
  readonly #folder: string;
  readonly #ttlMs: number;

  /** Reads the settings, and touches no file yet. Throws `ConfigurationError`. */
  constructor(options: AdapterOptions) {
    super(options);
    const { folder } = options.settings;
    if (typeof folder !== "string" || folder === "") {
      throw new ConfigurationError(`[caches.${options.name}] must name a 'folder' to keep its files in.`);
    }
    // Relative paths are relative to domain.toml.
    this.#folder = folder.startsWith("/") ? folder : `${options.folder}/${folder}`;
    this.#ttlMs = cacheTtl(options);
  }

  override async open(): Promise<void> {
    await this.#trying(() => Deno.mkdir(this.#folder, { recursive: true }));
  }

  async ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#trying(() => Deno.stat(this.#folder));
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#live(await this.#pathOf(key)))?.value;
  }

  async set(key: string, value: string, ttlMs: number = this.#ttlMs): Promise<void> {
    const expiresAt = ttlMs === Infinity ? null : this.options.clock.now() + ttlMs;
    const path = await this.#pathOf(key);
    // Written beside and renamed: whoever reads sees the old entry or the new one, also if we die in between.
    const draft = `${path}.${crypto.randomUUID()}`;
    await this.#trying(async () => {
      await Deno.writeTextFile(draft, JSON.stringify({ key, value, expiresAt } satisfies Entry));
      await Deno.rename(draft, path);
    });
  }

  async delete(key: string): Promise<boolean> {
    const path = await this.#pathOf(key);
    const live = await this.#live(path) !== undefined;
    await this.#trying(() => Deno.remove(path).catch(unlessMissing));
    return live;
  }

  async ttl(key: string): Promise<number | undefined> {
    const entry = await this.#live(await this.#pathOf(key));
    return entry && (entry.expiresAt === null ? Infinity : entry.expiresAt - this.options.clock.now());
  }

  async keys(
    prefix: string,
    { after, limit }: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    const found: string[] = [];
    await this.#trying(async () => {
      for await (const { name } of Deno.readDir(this.#folder)) {
        // Drafts have a dot in their names.
        const key = name.includes(".") ? undefined : (await this.#live(`${this.#folder}/${name}`))?.key;
        if (key?.startsWith(prefix) && (after === undefined || compareCodePoints(key, after) > 0)) {
          found.push(key);
        }
      }
    });
    return found.sort(compareCodePoints).slice(0, limit);
  }

  /** Undefined where there is no such file, or its time is up. */
  async #live(path: string): Promise<Entry | undefined> {
    const text = await this.#trying(() => Deno.readTextFile(path).catch(unlessMissing));
    if (text === undefined) return undefined;
    const entry: Entry = JSON.parse(text);
    return entry.expiresAt === null || entry.expiresAt > this.options.clock.now() ? entry : undefined;
  }

  /** A hash, because a key may hold what no file's name can. */
  async #pathOf(key: string): Promise<string> {
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
    const digits = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0"));
    return `${this.#folder}/${digits.join("")}`;
  }

  /** An adapter rejects with the library's errors: `UnavailableError` where waiting may help. */
  async #trying<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof UnavailableError) throw cause;
      throw new UnavailableError(
        `The cache '${this.name}' cannot use its folder ${this.#folder}: ${
          cause instanceof Error ? cause.message : cause
        }.`,
        { cause },
      );
    }
  }
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof Deno.errors.NotFound) return undefined;
  throw error;
}
