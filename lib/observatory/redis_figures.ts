/**
 * What `/api/health` says of Redis (wire 9.3).
 *
 * @module
 */
import type { ServerFacts } from "../adapters/ports.ts";
import type { RedisFigures } from "./source.ts";

/** `facts` is undefined where it does not answer, or may not be asked. */
export function redisFigures(healthy: boolean, facts: ServerFacts | undefined): RedisFigures {
  return {
    healthy,
    version: facts?.version ?? null,
    connected_clients: facts?.connectedClients ?? null,
    memory: facts?.usedMemory === undefined ? null : readable(facts.usedMemory),
    uptime_seconds: facts?.uptimeSeconds ?? null,
    ops_per_sec: facts?.operationsPerSecond ?? null,
  };
}

/** Bytes as Redis itself writes them. */
function readable(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(2)}${"BKMGT"[power]}`;
}
