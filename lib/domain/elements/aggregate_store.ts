/**
 * How the aggregates of one kind are stored. The unit of work knows no other way to them, so that another
 * kind of store is another implementation of this and nothing else.
 *
 * @module
 */
import type { BaseEventStore, ProviderSession, RowWrite } from "../../adapters/ports.ts";
import type { AggregateInstance, RaisedEvent } from "./instance.ts";

/** What is stored under an id. */
export type Stored =
  | { readonly kind: "missing" }
  /** It was removed; whoever uses the id again goes on from this version. */
  | { readonly kind: "removed"; readonly version: number }
  /** `restore` throws `ValidationError` when the schema refuses what is stored. */
  | { readonly kind: "present"; restore(): AggregateInstance };

/** What a store reads from: the transaction of the unit of work, and the event store where there is one. */
export interface StoreSource {
  readonly session: ProviderSession;
  readonly eventStore: BaseEventStore | undefined;
}

/** What a unit of work does with an aggregate. */
export interface Change {
  readonly instance: AggregateInstance;
  readonly fate: "saved" | "removed";
  /** Version that has to be stored now; -1: nothing. */
  readonly expected: number;
}

/** A raised event, and where it goes. */
export interface PlacedEvent {
  readonly raised: RaisedEvent;
  /** `headers.id` and `domain.sequence_id` (wire 1.5). */
  readonly id: string;
  readonly sequenceId: string;
  /** Position that the aggregate's stream must end at in the event store; undefined: wherever it ends. */
  readonly expectedVersion: number | undefined;
}

/** What a change writes. */
export interface AggregateWrites {
  /** Written before the next statement of the user's own, or with the commit. */
  readonly rows: readonly RowWrite[];
  /** Those raised on the instance, which are all written with the commit. */
  readonly events: readonly PlacedEvent[];
  /** Version of the aggregate from then on. */
  readonly version: number;
}

export interface AggregateStore {
  load(id: string, from: StoreSource): Promise<Stored>;
  /** As `load`, of many: what is stored under each of these ids. */
  loadMany(ids: readonly string[], from: StoreSource): Promise<ReadonlyMap<string, Stored>>;
  /**
   * Asked again, with the version of the writes before, when the instance has changed since in the same unit
   * of work.
   */
  writes(change: Change): AggregateWrites;
}
