/**
 * The aggregates of one unit of work: the same instance for the same id, and the rows they are saved as.
 *
 * A removed aggregate leaves a row behind whose state is `null`: its version goes on counting if the id is used again.
 * Event ids are made of it (wire 1.5), and a second `my_domain::cart-7-0.1` would be taken for the first one, by the
 * outbox and by every idempotent handler.
 *
 * @module
 */
import type { RowWrite, StoredRow } from "../../adapters/ports.ts";
import { IncorrectUsageError } from "../../errors.ts";
import { canonicalJson } from "../../message/canonical.ts";
import type { AggregateDefinition } from "../elements/aggregate.ts";
import { AggregateInstance } from "../elements/instance.ts";

/** State of a removed aggregate's row. */
const REMOVED = "null";

interface Entry {
  readonly instance: AggregateInstance;
  readonly definition: AggregateDefinition;
  /** What the unit of work is to do with it; undefined: it was only read. */
  fate: "saved" | "removed" | undefined;
  /** Version, revision and fate of the row as this transaction has it. */
  version: number;
  revision: number;
  written: "saved" | "removed" | undefined;
}

export class IdentityMap {
  readonly #entries = new Map<AggregateDefinition, Map<string, Entry>>();
  /** Versions of the rows that removed aggregates have left, by the same keys. */
  readonly #removed = new Map<AggregateDefinition, Map<string, number>>();

  /** The instance known by this id; null when this unit of work has removed it; undefined when it was not asked for yet. */
  known(definition: AggregateDefinition, id: string): AggregateInstance | null | undefined {
    const entry = this.#entries.get(definition)?.get(id);
    return entry?.fate === "removed" ? null : entry?.instance;
  }

  /** Takes in what was loaded. */
  loaded(definition: AggregateDefinition, row: StoredRow | undefined): AggregateInstance | undefined {
    if (!row) return undefined;
    if (row.state === REMOVED) {
      this.left(definition, row);
      return undefined;
    }
    const instance = AggregateInstance.restore(definition, row);
    keyed(this.#entries, definition).set(row.id, entryOf(definition, instance));
    return instance;
  }

  /** Takes in the row that a new instance finds under its id; a living aggregate's is a conflict for the store to tell. */
  left(definition: AggregateDefinition, row: StoredRow): void {
    if (row.state === REMOVED) keyed(this.#removed, definition).set(row.id, row.version);
  }

  /** Marks `instance` to be saved or removed. */
  mark(definition: AggregateDefinition, instance: AggregateInstance, fate: "saved" | "removed"): void {
    const entries = keyed(this.#entries, definition);
    const known = entries.get(instance.id);
    if (known && known.instance !== instance) {
      throw new IncorrectUsageError(
        `This unit of work has another instance of ${definition.name} '${instance.id}': use the one that get or add had.`,
      );
    }
    const entry = known ?? entryOf(definition, instance);
    entry.fate = fate;
    entries.set(instance.id, entry);
  }

  /** New instances of whose rows nothing is known: perhaps a removed aggregate has left one. */
  get unseen(): readonly { readonly definition: AggregateDefinition; readonly id: string }[] {
    return this.#all().filter((entry) => isDirty(entry) && this.#expected(entry) === -1)
      .map(({ definition, instance }) => ({ definition, id: instance.id }));
  }

  /** Instances that were changed and never added: their changes are lost with the unit of work. */
  get forgotten(): readonly AggregateInstance[] {
    return this.#all().filter((entry) =>
      entry.fate === undefined && entry.revision !== entry.instance.revision
    )
      .map(({ instance }) => instance);
  }

  /** The rows that are not yet written as they are now; counted as written from here on. */
  takeRows(): RowWrite[] {
    return this.#all().filter(isDirty).map((entry) => {
      const { instance, definition } = entry;
      const expected = this.#expected(entry);
      entry.version = expected + 1;
      entry.revision = instance.revision;
      entry.written = entry.fate;
      const state = entry.fate === "removed" ? REMOVED : canonicalJson(instance.state);
      return { table: definition.table, id: instance.id, state, expected };
    });
  }

  /** Each instance that raised events, with the version its row has in this transaction. */
  get raising(): readonly { readonly instance: AggregateInstance; readonly version: number }[] {
    return this.#all().filter(({ fate, instance }) => fate !== undefined && instance.raised.length > 0);
  }

  /** What is to be told to the instances when, and only when, the commit has succeeded. */
  settlement(): () => void {
    const settled = this.#all().filter(({ written, fate }) => fate !== undefined && written !== undefined)
      .map((entry) => ({
        instance: entry.instance,
        saved: {
          version: entry.version,
          // Whoever adds a removed instance later wants it back: no revision of it is stored.
          revision: entry.written === "removed" ? -1 : entry.revision,
          events: entry.instance.raised.length,
        },
      }));
    return () => settled.forEach(({ instance, saved }) => instance.settle(saved));
  }

  #expected(entry: Entry): number {
    if (entry.version >= 0) return entry.version;
    return this.#removed.get(entry.definition)?.get(entry.instance.id) ?? -1;
  }

  #all(): Entry[] {
    return [...this.#entries.values()].flatMap((entries) => [...entries.values()]);
  }
}

function entryOf(definition: AggregateDefinition, instance: AggregateInstance): Entry {
  const { version, savedRevision } = instance;
  const written = version < 0 ? undefined : "saved";
  return { instance, definition, fate: undefined, version, revision: savedRevision, written };
}

/** A new instance that was removed again leaves a row only if somebody hears of it. */
function isDirty({ fate, written, revision, version, instance }: Entry): boolean {
  if (fate === undefined) return false;
  if (fate === "removed" && version < 0 && instance.raised.length === 0) return false;
  return fate !== written || revision !== instance.revision;
}

function keyed<V>(
  maps: Map<AggregateDefinition, Map<string, V>>,
  definition: AggregateDefinition,
): Map<string, V> {
  let map = maps.get(definition);
  if (!map) maps.set(definition, map = new Map());
  return map;
}
