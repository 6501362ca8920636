/**
 * The time to live of a cache's entries, from its table of `domain.toml` (wire 5).
 *
 * @module
 */
import { ConfigurationError } from "../errors.ts";
import type { AdapterOptions } from "./ports.ts";

const DEFAULT_SECONDS = 300;

/**
 * `TTL`, given in seconds (300 where missing or empty), in ms. Throws `ConfigurationError` unless it is
 * positive and finite.
 */
export function cacheTtl({ name, settings }: AdapterOptions): number {
  const { TTL } = settings;
  const seconds = TTL === undefined || TTL === "" ? DEFAULT_SECONDS : Number(TTL);
  if (seconds > 0 && seconds !== Infinity) return seconds * 1000;
  throw new ConfigurationError(
    `Cannot open the cache '${name}' as TTL must be a positive number of seconds: current value is ${TTL}.`,
    { code: "CONFIG_INVALID_VALUE" },
  );
}
