/**
 * From claimed rows to published ones: batch after batch on one lease, and what became of each row of a batch
 * (delivery 9, OBX-3, OBX-4).
 *
 * A step costs a round trip, and together they are the latency of the outbox. So a batch is recorded as
 * published while the next is claimed, and where the backlog fills a batch the next is claimed while this one
 * is published. Nothing is under way any more when a round ends, however it ends: whoever gets the shards
 * next must not meet rows that are still on their way to the broker.
 *
 * @module
 */
import {
  type BaseBroker,
  orderOf,
  type OutboxLease,
  type OutboxOutcome,
  type OutboxRow,
  type PublishResult,
} from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import type { BatchSize } from "../async/batch_size.ts";
import { type Clock, LONGEST_WAIT_MS } from "../async/clock.ts";
import type { Lanes } from "../domain/lanes.ts";
import { asError, RefusedError, UnavailableError } from "../errors.ts";
import { encodeRaw } from "../message/envelope.ts";
import { categoryOf } from "../message/names.ts";
import type { StreamRefusals } from "./stream_refusals.ts";
import type { InFlightMessages } from "./in_flight.ts";

export interface RoundParts extends PublisherParts {
  /**
   * Told what is published and not recorded as such yet; what is left there when a round rejects is its
   * owner's to clear.
   */
  readonly inFlight: InFlightMessages;
  /** How many rows are claimed at a time. */
  readonly batch: Pick<BatchSize, "next" | "came">;
  /** False: the round ends with the batch under way. */
  readonly mayGoOn: () => boolean;
  /** True: not even a batch that is claimed already is published. */
  readonly cut: () => boolean;
  readonly onBatch: (batch: PublishedBatch, rows: readonly OutboxRow[]) => void;
}

/**
 * One round: claims, publishes and records until nothing is due. Returns false when it ended early. Rejects
 * when a backend does not answer, with the rows back in the outbox as far as it does. Whatever ends it, what
 * was published is recorded as published, or it is not known whether it was.
 */
export async function publishDue(parts: RoundParts): Promise<boolean> {
  const { lease, batch: claims, mayGoOn, cut, onBatch, inFlight } = parts;
  const held = new Set<string>();
  const putBack = (claimed: readonly OutboxRow[]) =>
    claimed.length > 0 ? lease.settle(claimed.map(({ id }) => ({ id, status: "held" }))) : nothing;
  let recording: Promise<void> = nothing;
  let asked = claims.next;
  const claim = () => lease.claim(asked = claims.next);
  let rows = await claim();
  while (rows.length > 0) {
    const size = sizeOf(rows);
    const isFull = rows.length >= asked;
    claims.came(rows.length, size);
    if (cut()) {
      await together(recording, putBack(rows));
      return false;
    }
    // The texts of two batches are here then.
    const ahead = isFull && 2 * size <= BATCH_SIZE && held.size === 0 && mayGoOn();
    const recorded = inFlight.begin(rows);
    const [batch, next] = await together(
      publishBatch(rows, parts, held),
      ahead ? claim() : noRows,
      recording,
    );
    onBatch(batch, rows);
    recording = lease.settle(batch.outcomes).finally(recorded);
    if (batch.unavailable) {
      await together(recording, putBack(next));
      throw batch.unavailable;
    }
    if (next.length > 0) {
      rows = next;
      continue;
    }
    if (held.size > 0) {
      // From here on the store itself holds those streams back, or hands their rows out in order.
      await recording;
      held.clear();
    }
    if (!mayGoOn()) {
      await recording;
      return false;
    }
    // Also behind a batch that was not full: rows may have come since, and their hint, from another process,
    // comes later.
    [rows] = await together(claim(), recording);
  }
  return true;
}

/** What the texts of a batch should not be larger than, in UTF-16 units: large rows are claimed fewer at a time. */
export const BATCH_SIZE = 16 * 1024 * 1024;

function sizeOf(rows: readonly OutboxRow[]): number {
  let size = 0;
  for (const { data, metadata } of rows) size += data.length + metadata.length;
  return size;
}

const nothing: Promise<void> = Promise.resolve();
const noRows: Promise<readonly OutboxRow[]> = Promise.resolve([]);

/** As `Promise.all`, but rejects only when none of them is under way any more. */
async function together<T extends readonly unknown[]>(
  ...works: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(works);
  return await Promise.all(works) as unknown as T;
}

/** `[outbox.retry]` of domain.toml; every key does what it says. */
export interface OutboxRetry {
  readonly max_attempts: number;
  readonly base_delay_seconds: number;
  readonly max_backoff_seconds: number;
  readonly backoff_multiplier: number;
  readonly jitter: boolean;
  readonly jitter_factor: number;
}

export interface PublisherParts {
  /** Asked before each publish whether the rows are ours still. */
  readonly lease: Pick<OutboxLease, "assertHeld" | "claim" | "settle">;
  readonly broker: BaseBroker;
  /** See `OutboxProcessorOptions`. */
  readonly lanes?: Lanes | undefined;
  readonly retry: OutboxRetry;
  /** Told of streams that the broker refuses while it takes others. */
  readonly refusals: Pick<StreamRefusals, "refused" | "taken">;
  readonly clock: Clock;
  readonly random: Random;
}

export interface PublishedBatch {
  /** One for every row. */
  readonly outcomes: readonly OutboxOutcome[];
  readonly published: number;
  /** How long publishing took, in milliseconds. */
  readonly ms: number;
  /** Set when the broker is away, full or read-only: the rows wait uncounted, and the processor backs off. */
  readonly unavailable: Error | undefined;
}

/**
 * Publishes in order. `held`: streams (and partitions) whose rows have to wait, because an earlier one did
 * not get through or was not tried; it grows here, and its owner empties it once that is written down.
 */
export async function publishBatch(
  rows: readonly OutboxRow[],
  parts: PublisherParts,
  held: Set<string>,
): Promise<PublishedBatch> {
  const outcomes: OutboxOutcome[] = [];
  let published = 0;
  let unavailable: Error | undefined;
  const began = parts.clock.monotonic();
  const hold = (row: OutboxRow) => {
    held.add(placeOf(row));
    outcomes.push({ id: row.id, status: "held" });
  };
  for (const wave of waves(rows, parts.broker)) {
    const { free = [], waiting = [] } = Object.groupBy(
      wave,
      (row) => unavailable || held.has(placeOf(row)) ? "waiting" : "free",
    );
    waiting.forEach(hold);
    if (free.length === 0) continue;
    let results: readonly PublishResult[];
    try {
      parts.lease.assertHeld();
      results = await parts.broker.publish(
        free.map((row) => ({
          stream: streamFor(row, parts.lanes),
          data: encodeRaw(row.data, row.metadata),
          ...(row.partitionKey !== undefined && { partition: row.partitionKey }),
        })),
      );
    } catch (error) {
      unavailable = asError(error);
      free.forEach(hold);
      continue;
    }
    const refused = new Set<string>();
    free.forEach((row, index) => {
      const result = results[index];
      if (result && "id" in result) {
        published++;
        parts.refusals.taken(streamFor(row, parts.lanes));
        outcomes.push({ id: row.id, status: "published" });
        return;
      }
      const error = result?.error ?? new Error("the broker gave no answer for this row");
      // What is refused to everybody says nothing of the row (D10): it waits, uncounted, as while the broker
      // is away.
      if (error instanceof RefusedError && error.concerns === "key") {
        parts.refusals.refused(streamFor(row, parts.lanes), error);
        // Behind a row that waits already, it waits with it.
        if (held.has(placeOf(row))) return hold(row);
        held.add(placeOf(row));
        const retryAt = parts.clock.now() + refusedDelay(parts.random);
        outcomes.push({ id: row.id, status: "failed", error: error.message, retryAt, uncounted: true });
        return;
      }
      const outage = error instanceof UnavailableError || error instanceof RefusedError;
      if (outage) unavailable = error;
      // Behind a refused row it was refused for that one's sake, and has not had its own attempt.
      if (outage || refused.has(placeOf(row))) return hold(row);
      refused.add(placeOf(row));
      const outcome = failure(row, error, parts);
      // Given up, its stream goes on without it (wire 3.6).
      if (outcome.status === "failed") held.add(placeOf(row));
      outcomes.push(outcome);
    });
  }
  return { outcomes, published, ms: parts.clock.monotonic() - began, unavailable };
}

/**
 * Priority chooses the lane, never the order within a stream (delivery 9): a key, which has an order of its
 * own, has one lane.
 */
function streamFor({ streamName, priority, partitionKey }: OutboxRow, lanes: Lanes | undefined): string {
  const category = categoryOf(streamName);
  return lanes && partitionKey === undefined ? lanes.streamOf(category, priority) : category;
}

/**
 * What may be sent at once: everything, or at most one row of each stream where the broker would let the next
 * one overtake it.
 */
function waves(rows: readonly OutboxRow[], broker: BaseBroker): readonly (readonly OutboxRow[])[] {
  if (broker.capabilities.inOrder) return [rows];
  const sent = new Map<string, number>();
  const found: OutboxRow[][] = [];
  for (const row of rows) {
    const wave = sent.get(placeOf(row)) ?? 0;
    sent.set(placeOf(row), wave + 1);
    (found[wave] ??= []).push(row);
  }
  return found;
}

function placeOf({ streamName, partitionKey }: OutboxRow): string {
  return orderOf(streamName, partitionKey);
}

/** Milliseconds before a stream is tried again that alone is refused. */
function refusedDelay(random: Random): number {
  return 2_000 + 3_000 * random();
}

function failure(row: OutboxRow, error: Error, { retry, clock, random }: PublisherParts): OutboxOutcome {
  const attempts = row.retryCount + 1;
  if (attempts >= retry.max_attempts) {
    return { id: row.id, status: "abandoned", error: `Max retries exceeded: ${error.message}` };
  }
  return {
    id: row.id,
    status: "failed",
    error: error.message,
    retryAt: clock.now() + outboxDelay(attempts, retry, random),
  };
}

/**
 * Milliseconds before publishing is tried again after `attempts` failures: base × multiplier^(attempts − 1),
 * capped, with jitter; a hundred years at most.
 */
export function outboxDelay(attempts: number, retry: OutboxRetry, random: Random): number {
  const seconds = Math.min(
    retry.base_delay_seconds * retry.backoff_multiplier ** (attempts - 1),
    retry.max_backoff_seconds,
  );
  const factor = retry.jitter ? 1 + retry.jitter_factor * (2 * random() - 1) : 1;
  return Math.min(seconds * 1000 * factor, LONGEST_WAIT_MS);
}
