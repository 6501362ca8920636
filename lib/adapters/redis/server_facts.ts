/**
 * Connections and memory: what one process of ours needs at most, and what the server has to give (CFG-2,
 * CFG-3).
 *
 * @module
 */
import { RefusedError } from "../../errors.ts";
import type { ConnectionNeed, ServerFacts } from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";

/** `max_connections` caps all of them, of broker and cache together. */
export function connectionNeed(
  { server: { settings: { address, maxConnections } } }: Endpoint,
): ConnectionNeed {
  return {
    server: address.path ?? `${address.host}:${address.port}`,
    pool: maxConnections,
    isShared: true,
    overflow: 0,
    beside: [],
  };
}

/**
 * From INFO alone, which managed servers allow where they refuse CONFIG. Undefined where the user may not ask
 * for that either.
 */
export async function serverFacts(redis: Endpoint, signal: AbortSignal): Promise<ServerFacts | undefined> {
  try {
    const info = await redis.run((client) => client.info(), { signal });
    return factsOf(info);
  } catch (error) {
    if (error instanceof RefusedError && MAY_NOT.has(error.code)) return undefined;
    throw error;
  }
}

const MAY_NOT: ReadonlySet<string> = new Set(["REDIS_NO_PERMISSION", "REDIS_COMMAND_MISSING"]);

/** The facts in an answer of INFO; what a server leaves out is absent. */
export function factsOf(info: string): ServerFacts {
  const text = (key: string) => new RegExp(`^${key}:(\\S+)`, "m").exec(info)?.[1];
  const figure = (key: string) => {
    const value = Number(text(key) ?? NaN);
    return Number.isFinite(value) ? value : undefined;
  };
  const given = {
    version: text("redis_version"),
    maxConnections: figure("maxclients"),
    usedMemory: figure("used_memory"),
    maxMemory: figure("maxmemory"),
    evictionPolicy: text("maxmemory_policy"),
    connectedClients: figure("connected_clients"),
    uptimeSeconds: figure("uptime_in_seconds"),
    operationsPerSecond: figure("instantaneous_ops_per_sec"),
  };
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return { product: "Redis", ...Object.fromEntries(known) };
}
