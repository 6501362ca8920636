/**
 * What a Redis server tells of itself when it is greeted.
 *
 * @module
 */
import { ConfigurationError } from "../../errors.ts";
import { unavailable } from "./faults.ts";
import type { RedisSettings } from "./settings.ts";

/** Streams as used here (XAUTOCLAIM's tombstones, `lag`, exact XCLAIM of trimmed entries) came with Redis 7. */
const OLDEST_MAJOR = 7;

/** The one run of the server that a connection belongs to: numbers of connections mean nothing in the next. */
export function runIdOf(info: string): string | undefined {
  return /^run_id:(\S+)/m.exec(info)?.[1];
}

/**
 * Judges the answer of INFO. Throws `ConfigurationError` for a Redis older than 7.0, and the adapter's unavailable error while it
 * loads its data. A server that does not tell its version passes.
 */
export function checkServerInfo(info: string, settings: RedisSettings): void {
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  if (version !== undefined && Number.parseInt(version) < OLDEST_MAJOR) {
    throw new ConfigurationError(
      `Redis at ${settings.address.shown} (${settings.section}) is version ${version}, but 7.0 or later is needed: upgrade it.`,
      { code: "REDIS_TOO_OLD" },
    );
  }
  if (/^loading:1/m.test(info)) throw unavailable(settings, "it is loading its data");
}
