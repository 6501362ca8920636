/**
 * What of one broker is not published, as a database has counted it.
 *
 * @module
 */
import type { OutboxBacklog, OutboxStatus } from "./ports.ts";

/** From one row a status, `{ status, rows }`; a status without rows may be left out. */
export function backlogOf(counted: readonly Readonly<Record<string, unknown>>[]): OutboxBacklog {
  const count = (status: OutboxStatus) =>
    Number(counted.find((row) => row["status"] === status)?.["rows"] ?? 0);
  return {
    pending: count("pending"),
    processing: count("processing"),
    failed: count("failed"),
    abandoned: count("abandoned"),
  };
}
