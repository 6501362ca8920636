/**
 * One round on a lease: claims, publishes, marks, until nothing is due (delivery 9).
 *
 * A step costs a round trip, and together they are the latency of the outbox. So a batch is marked while the next is claimed, and
 * where the backlog fills a batch the next is claimed while this one is published. Nothing is under way any more when a round ends,
 * however it ends: whoever gets the shards next must not meet rows that are still on their way to the broker.
 *
 * @module
 */
import type { OutboxLease, OutboxOutcome, OutboxRow } from "../adapters/ports.ts";
import { publishBatch, type PublishedBatch, type PublisherParts } from "./publisher.ts";
import type { Unmarked } from "./unmarked.ts";
import { Vigil } from "./vigil.ts";

export interface RoundParts extends PublisherParts {
  readonly lease: OutboxLease;
  /** Told what is published and not marked yet; what is left there when a round rejects is its owner's to clear. */
  readonly unmarked: Unmarked;
  /** Rows claimed at a time. */
  readonly limit: number;
  /** False: no further batch is begun. */
  readonly mayGoOn: () => boolean;
  readonly onBatch: (batch: PublishedBatch, rows: readonly OutboxRow[]) => void;
}

/** Answers false when it ended early. Rejects when a backend does not answer, with the rows back in the outbox as far as it does. */
export async function publishDue(parts: RoundParts): Promise<boolean> {
  const { lease, limit, mayGoOn, onBatch, unmarked } = parts;
  const vigil = new Vigil(lease, parts.clock);
  const claim = () => vigil.heard(lease.claim(limit));
  const settle = (outcomes: readonly OutboxOutcome[]) => vigil.heard(lease.settle(outcomes));
  const held = new Set<string>();
  let marking: Promise<void> = Promise.resolve();
  let rows = await claim();
  while (rows.length > 0) {
    const ahead = rows.length >= limit && held.size === 0 && mayGoOn();
    const marked = unmarked.begin(rows);
    const publishing = vigil.keep(() => publishBatch(rows, parts, held));
    const [batch, next] = await together(publishing, ahead ? claim() : noRows, marking);
    onBatch(batch, rows);
    marking = settle(batch.outcomes).finally(marked);
    if (batch.unavailable) {
      await together(marking, settle(next.map(({ id }) => ({ id, status: "held" }))));
      throw batch.unavailable;
    }
    if (next.length > 0) {
      rows = next;
      continue;
    }
    if (held.size > 0) {
      // From here on the store itself holds those streams back, or hands their rows out in order.
      await marking;
      held.clear();
    }
    if (!mayGoOn()) {
      await marking;
      return false;
    }
    // Also behind a batch that was not full: rows may have come since, and their hint, from another process, comes later.
    [rows] = await together(claim(), marking);
  }
  return true;
}

const noRows: Promise<readonly OutboxRow[]> = Promise.resolve([]);

/** As `Promise.all`, but rejects only when none of them is under way any more. */
async function together<T extends readonly unknown[]>(
  ...works: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(works);
  return await Promise.all(works) as unknown as T;
}
