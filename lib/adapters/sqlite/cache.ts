/**
 * The embedded cache: keys and JSON text with a time to live, beside the streams (wire 5, delivery 14).
 *
 * @module
 */
import { LONGEST_WAIT_MS } from "../../async/clock.ts";
import { type AdapterOptions, BaseCache, type ComponentSchema } from "../ports.ts";
import { cacheTtl } from "../cache_ttl.ts";
import { compareCodePoints } from "../../message/json_format.ts";
import { DatabaseFile } from "./file/database_file.ts";
import { component } from "./file/migrate.ts";
import { creation } from "../migrations.ts";
import { statement } from "./file/statements.ts";
import { sqlitePath } from "./file/uri.ts";

/**
 * Expired rows that one `set` clears away: more than it can add, so that the table never grows beyond what
 * lives.
 */
const SWEPT = 16;
/** A row is there for a reader at this time (epoch ms). */
const LIVES = "(expires_at IS NULL OR expires_at > ?)";

/** Version 0.1.0 writes rows by position, so another column would stop it. */
const COMPONENTS = [component({
  name: "cache",
  columns: { protean_cache: ["key", "value", "expires_at"] },
  steps: [creation(
    "CREATE TABLE protean_cache (key text NOT NULL PRIMARY KEY, value text NOT NULL, expires_at integer)",
  )],
  indexes: {
    protean_cache_expiry:
      "CREATE INDEX protean_cache_expiry ON protean_cache (expires_at) WHERE expires_at IS NOT NULL",
  },
})];

export class SqliteCache extends BaseCache {
  /** Absolute path of the file. */
  readonly path: string;
  readonly #file: DatabaseFile;
  /** Milliseconds. */
  readonly #ttl: number;

  /**
   * Reads `URI`, by default `sqlite:///<domain>-streams.db`, and `TTL` in seconds (default 300). Throws
   * `ConfigurationError`.
   */
  constructor(options: AdapterOptions) {
    super(options);
    const uri = String(options.settings.URI ?? `sqlite:///${options.domain}-streams.db`);
    this.path = sqlitePath(uri, options.folder);
    this.#ttl = cacheTtl(options);
    this.#file = new DatabaseFile({
      path: this.path,
      synchronous: "NORMAL",
      clock: options.clock,
      components: COMPONENTS,
      migrate: options.migrate,
    });
  }

  override async open(): Promise<void> {
    await this.#file.open();
  }

  override async schema(): Promise<readonly ComponentSchema[]> {
    return await this.#file.schema();
  }

  override async upgrade(): Promise<void> {
    await this.#file.upgrade();
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#file.ping(signal);
  }

  override async close(): Promise<void> {
    await this.#file.close();
  }

  async get(key: string): Promise<string | undefined> {
    const row = await this.#row("SELECT value FROM protean_cache WHERE key = ?", key);
    return row && String(row.value);
  }

  override async getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const sql =
      `SELECT key, value FROM protean_cache WHERE key IN (SELECT value FROM json_each(?)) AND ${LIVES}`;
    const now = this.options.clock.now();
    const rows = await this.#file.read((db) => statement(db, sql).all(JSON.stringify(keys), now));
    const found = new Map(rows.map(({ key, value }) => [String(key), String(value)]));
    return keys.map((key) => found.get(key));
  }

  async set(key: string, value: string, ttlMs: number = this.#ttl): Promise<void> {
    const now = this.options.clock.now();
    const expires = ttlMs === Infinity ? null : now + Math.min(ttlMs, LONGEST_WAIT_MS);
    await this.#file.write((db) => {
      statement(db, "INSERT OR REPLACE INTO protean_cache (key, value, expires_at) VALUES (?, ?, ?)").run(
        key,
        value,
        expires,
      );
      statement(
        db,
        `DELETE FROM protean_cache WHERE key IN
          (SELECT key FROM protean_cache WHERE expires_at <= ? ORDER BY expires_at LIMIT ${SWEPT})`,
      ).run(now);
    });
  }

  async delete(key: string): Promise<boolean> {
    const now = this.options.clock.now();
    const gone = await this.#file.write((db) =>
      statement(db, "DELETE FROM protean_cache WHERE key = ? RETURNING expires_at").get(key)
    );
    return gone !== undefined && (gone.expires_at === null || Number(gone.expires_at) > now);
  }

  async ttl(key: string): Promise<number | undefined> {
    const row = await this.#row("SELECT expires_at FROM protean_cache WHERE key = ?", key);
    if (!row) return undefined;
    return row.expires_at === null ? Infinity : Number(row.expires_at) - this.options.clock.now();
  }

  async keys(
    prefix: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    const { after, limit } = options;
    // From the later of the two bounds on, in order of the key: the scan ends at the limit or behind the
    // prefix.
    const [from, low] = after !== undefined && compareCodePoints(after, prefix) >= 0
      ? ["key > ?", after]
      : ["key >= ?", prefix];
    const sql = `SELECT key FROM protean_cache WHERE ${from} AND key < ? || char(1114111) AND ${LIVES}
      ORDER BY key LIMIT ?`;
    const now = this.options.clock.now();
    const rows = await this.#file.read((db) => statement(db, sql).all(low, prefix, now, limit));
    return rows.map((row) => String(row.key));
  }

  async #row(sql: string, key: string): Promise<Record<string, unknown> | undefined> {
    const now = this.options.clock.now();
    return await this.#file.read((db) => statement(db, `${sql} AND ${LIVES}`).get(key, now));
  }
}
