/**
 * Publishes one claimed batch and says what became of each row (delivery 9, OBX-3, OBX-4).
 *
 * @module
 */
import type { BaseBroker, OutboxOutcome, OutboxRow } from "../adapters/ports.ts";
import type { Random } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { asError, UnavailableError } from "../errors.ts";
import { encodeRaw } from "../message/envelope.ts";
import { categoryOf } from "../message/names.ts";

/** `[outbox.retry]` of domain.toml; every key does what it says. */
export interface OutboxRetry {
  readonly max_attempts: number;
  readonly base_delay_seconds: number;
  readonly max_backoff_seconds: number;
  readonly backoff_multiplier: number;
  readonly jitter: boolean;
  readonly jitter_factor: number;
}

export interface PublishedBatch {
  readonly outcomes: readonly OutboxOutcome[];
  readonly published: number;
  /** Set when the broker is away, full or read-only: the rows wait uncounted, and the processor backs off. */
  readonly unavailable: Error | undefined;
}

/** Publishes in order. `held`: streams of this lease that a failed row holds back; it grows here. */
export async function publishBatch(
  rows: readonly OutboxRow[],
  parts: { broker: BaseBroker; retry: OutboxRetry; clock: Clock; random: Random; held: Set<string> },
): Promise<PublishedBatch> {
  const { broker, held } = parts;
  const tried = held.size === 0 ? rows : rows.filter((row) => !held.has(row.streamName));
  const outcomes: OutboxOutcome[] = held.size === 0
    ? []
    : rows.filter((row) => held.has(row.streamName)).map(({ id }) => ({ id, status: "held" }));
  if (tried.length === 0) return { outcomes, published: 0, unavailable: undefined };
  let results;
  try {
    results = await broker.publish(
      tried.map((row) => ({ stream: categoryOf(row.streamName), data: encodeRaw(row.data, row.metadata) })),
    );
  } catch (error) {
    for (const { id } of tried) outcomes.push({ id, status: "held" });
    return { outcomes, published: 0, unavailable: asError(error) };
  }
  let published = 0;
  let unavailable: Error | undefined;
  tried.forEach((row, index) => {
    const result = results[index];
    if (result && "id" in result) {
      published++;
      outcomes.push({ id: row.id, status: "published" });
      return;
    }
    const error = result?.error ?? new Error("the broker gave no answer for this row");
    held.add(row.streamName);
    if (error instanceof UnavailableError) {
      unavailable = error;
      outcomes.push({ id: row.id, status: "held" });
    } else {
      outcomes.push(failure(row, error, parts));
    }
  });
  return { outcomes, published, unavailable };
}

function failure(
  row: OutboxRow,
  error: Error,
  parts: { retry: OutboxRetry; clock: Clock; random: Random; held: Set<string> },
): OutboxOutcome {
  const attempts = row.retryCount + 1;
  if (attempts >= parts.retry.max_attempts) {
    // Given up: its stream goes on without it (wire 3.6).
    parts.held.delete(row.streamName);
    return { id: row.id, status: "abandoned", error: `Max retries exceeded: ${error.message}` };
  }
  return {
    id: row.id,
    status: "failed",
    error: error.message,
    retryAt: parts.clock.now() + outboxDelay(attempts, parts.retry, parts.random),
  };
}

/** Milliseconds before publishing is tried again after `attempts` failures: base × multiplier^(attempts − 1), capped, with jitter. */
export function outboxDelay(attempts: number, retry: OutboxRetry, random: Random): number {
  const seconds = Math.min(
    retry.base_delay_seconds * retry.backoff_multiplier ** (attempts - 1),
    retry.max_backoff_seconds,
  );
  const factor = retry.jitter ? 1 + retry.jitter_factor * (2 * random() - 1) : 1;
  return seconds * 1000 * factor;
}
