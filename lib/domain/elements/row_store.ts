/**
 * Aggregates as rows: one for each, with its state and version.
 *
 * A removed aggregate leaves a row behind whose state is `null`: its version goes on counting if the id is
 * used again. Event ids are made of it (wire 1.5), and a second `my_domain::cart-7-0.1` would be taken for
 * the first one, by the outbox and by every idempotent handler.
 *
 * @module
 */
import { loadMany, type StoredRow } from "../../adapters/ports.ts";
import { eventId, sequenceId } from "../../message/metadata.ts";
import { streamOf } from "../../message/names.ts";
import type { AggregateStore, AggregateWrites, Change, Stored, StoreSource } from "./aggregate_store.ts";
import { AggregateInstance, type InstanceAggregate } from "./instance.ts";

/** State of a removed aggregate's row. */
const REMOVED = "null";

const MISSING: Stored = { kind: "missing" };

export class RowStore implements AggregateStore {
  constructor(private readonly aggregate: InstanceAggregate, private readonly table: string) {}

  async load(id: string, { session }: StoreSource): Promise<Stored> {
    return this.#stored(await session.load(this.table, id));
  }

  async loadMany(ids: readonly string[], { session }: StoreSource): Promise<ReadonlyMap<string, Stored>> {
    const rows = await loadMany(session, this.table, ids);
    return new Map(ids.map((id) => [id, this.#stored(rows.get(id))]));
  }

  #stored(row: StoredRow | undefined): Stored {
    if (!row) return MISSING;
    if (row.state === REMOVED) return { kind: "removed", version: row.version };
    return { kind: "present", restore: () => AggregateInstance.restore(this.aggregate, row) };
  }

  /**
   * Its events are in the outbox; in the event store their position is nobody's expectation, for the row has
   * the version.
   */
  writes({ instance, fate, expected }: Change): AggregateWrites {
    const version = expected + 1;
    const stream = streamOf(this.aggregate.category, instance.id);
    const state = fate === "removed" ? REMOVED : instance.text;
    return {
      rows: [{ table: this.table, id: instance.id, state, expected }],
      events: instance.raised.map((raised, index) => ({
        raised,
        id: eventId(stream, version, index + 1),
        sequenceId: sequenceId(version, index + 1),
        expectedVersion: undefined,
      })),
      version,
    };
  }
}
