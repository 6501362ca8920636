/**
 * How long the marks of idempotent handlers are kept: a message that is replayed from the dead letters must
 * still find its mark (PIPE-13, delivery 16).
 *
 * @module
 */
import type { Config } from "../config/schema.ts";
import type { Diagnostic } from "../diagnostics.ts";
import type { ErrorCode } from "../error_codes.ts";

/** Marks outlive the longest dead-letter retention by a replay window. */
const REPLAY_WINDOW_HOURS = 168;

/** What decides of the marks. */
export interface MarkedSubscription {
  readonly settings: { readonly dlqRetentionHours: number; readonly idempotent: boolean };
}

/** Hours that no replay can outlast. */
function neededHours({ server }: Config, subscriptions: Iterable<MarkedSubscription>): number {
  const kept = [...subscriptions].map(({ settings }) => settings.dlqRetentionHours);
  return Math.max(server.dlq.retention_hours, ...kept) + REPLAY_WINDOW_HOURS;
}

/** Hours a mark is kept: as configured, else as long as it is needed. */
export function markRetentionHours(config: Config, subscriptions: Iterable<MarkedSubscription>): number {
  return config.consume_idempotency.cleanup.retention_hours ?? neededHours(config, subscriptions);
}

/** One warning where marks go while a dead letter may still be replayed, whose effect then happens twice. */
export function* shortMarks(
  config: Config,
  subscriptions: readonly MarkedSubscription[],
): Generator<Diagnostic> {
  const marked = subscriptions.filter(({ settings }) => settings.idempotent);
  const needed = neededHours(config, marked);
  const kept = markRetentionHours(config, marked);
  if (marked.length === 0 || kept >= needed) return;
  const key = "consume_idempotency.cleanup.retention_hours";
  yield {
    code: "CONFIG_SHORT_MARKS" satisfies ErrorCode,
    level: "warning",
    key,
    message:
      `'${key}' is ${kept}, and a dead letter may be replayed for ${needed} h: what was handled before may ` +
      `then happen twice; leave the key out, or set at least ${needed}.`,
  };
}
