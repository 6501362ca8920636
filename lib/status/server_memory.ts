/**
 * When a server's memory is nearly used up: for `check --connect` and for the body of `/readyz`.
 *
 * @module
 */
import type { ServerFacts } from "../adapters/ports.ts";

/** Above this share of `maxmemory` somebody has to know. */
const SHARE = 0.8;

/** A sentence about a server that uses more than 0.8 of its memory. Undefined: it does not, or does not say. */
export function nearlyFull({ product, usedMemory, maxMemory }: ServerFacts): string | undefined {
  if (usedMemory === undefined || maxMemory === undefined || maxMemory <= 0) return undefined;
  const share = usedMemory / maxMemory;
  if (share <= SHARE) return undefined;
  return `${product} uses ${Math.round(share * 100)} % of its maxmemory (${mebibytes(usedMemory)} of ${
    mebibytes(maxMemory)
  } MiB): at 100 % it refuses every write.`;
}

/** Without its unit; with a decimal where that says something. */
export function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0);
}
