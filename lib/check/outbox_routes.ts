/**
 * How many outbox processors one process runs for a database of ours.
 *
 * @module
 */
import type { Config } from "../config/schema.ts";

/** One for the domain's broker, one for each of another team's. */
export function outboxRouteCount({ outbox: { broker, external_brokers } }: Config): number {
  return new Set([broker, ...external_brokers]).size;
}
