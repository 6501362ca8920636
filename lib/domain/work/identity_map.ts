/**
 * The aggregates of one unit of work: the same instance for the same id, and what they are saved as.
 *
 * @module
 */
import type { RowWrite } from "../../adapters/ports.ts";
import { IncorrectUsageError } from "../../errors.ts";
import type { AggregateDefinition } from "../elements/aggregate.ts";
import type { Change, PlacedEvent, Stored } from "../elements/aggregate_store.ts";
import type { AggregateInstance } from "../elements/instance.ts";

type Fate = Change["fate"];

interface Entry {
  readonly instance: AggregateInstance;
  readonly definition: AggregateDefinition;
  /** What the unit of work is to do with it; undefined: it was only read. */
  fate: Fate | undefined;
  /** Version, revision, fate and events of the aggregate as this transaction has it. */
  version: number;
  revision: number;
  written: Fate | undefined;
  events: readonly PlacedEvent[];
}

export class IdentityMap {
  readonly #entries = new Map<AggregateDefinition, Map<string, Entry>>();
  /** Versions that removed aggregates have left, by the same keys. */
  readonly #removed = new Map<AggregateDefinition, Map<string, number>>();
  #loads = 0;

  /**
   * The instance known by this id; null when this unit of work has removed it; undefined when it was not
   * asked for yet.
   */
  known(definition: AggregateDefinition, id: string): AggregateInstance | null | undefined {
    const entry = this.#entries.get(definition)?.get(id);
    return entry?.fate === "removed" ? null : entry?.instance;
  }

  /** Takes in what was loaded. */
  loaded(definition: AggregateDefinition, id: string, stored: Stored): AggregateInstance | undefined {
    if (stored.kind !== "present") {
      this.left(definition, id, stored);
      return undefined;
    }
    const instance = stored.restore();
    this.#loads++;
    keyed(this.#entries, definition).set(id, entryOf(definition, instance));
    return instance;
  }

  /**
   * Takes in what a new instance finds under its id; a living aggregate's is a conflict for the store to
   * tell.
   */
  left(definition: AggregateDefinition, id: string, stored: Stored): void {
    if (stored.kind === "removed") keyed(this.#removed, definition).set(id, stored.version);
  }

  /** Has `instance` saved by the commit. */
  save(definition: AggregateDefinition, instance: AggregateInstance): void {
    this.#entry(definition, instance).fate = "saved";
  }

  /** Has `instance` removed by the commit. */
  remove(definition: AggregateDefinition, instance: AggregateInstance): void {
    this.#entry(definition, instance).fate = "removed";
  }

  /** New instances of which nothing stored is known: perhaps a removed aggregate has left its version. */
  get unseen(): readonly { readonly definition: AggregateDefinition; readonly id: string }[] {
    return this.#all().filter((entry) => isDirty(entry) && this.#expected(entry) === -1)
      .map(({ definition, instance }) => ({ definition, id: instance.id }));
  }

  /** How many aggregates were loaded, and how many are to be saved or removed. */
  get operations(): { readonly loads: number; readonly saves: number } {
    return { loads: this.#loads, saves: this.#all().filter(({ fate }) => fate !== undefined).length };
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
    return this.#all().flatMap((entry) => {
      const { instance, definition, fate } = entry;
      if (fate === undefined || !isDirty(entry)) return [];
      const { rows, events, version } = definition.store.writes({
        instance,
        fate,
        expected: this.#expected(entry),
      });
      entry.version = version;
      entry.events = events;
      entry.revision = instance.revision;
      entry.written = fate;
      return rows;
    });
  }

  /** Each instance that raised events, and these as they are written. */
  get raising(): readonly {
    readonly instance: AggregateInstance;
    readonly events: readonly PlacedEvent[];
  }[] {
    return this.#all().filter(({ events }) => events.length > 0);
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

  #entry(definition: AggregateDefinition, instance: AggregateInstance): Entry {
    const entries = keyed(this.#entries, definition);
    const known = entries.get(instance.id);
    if (known && known.instance !== instance) {
      throw new IncorrectUsageError(
        `This unit of work has another instance of ${definition.name} '${instance.id}': use the one that get or add had.`,
      );
    }
    const entry = known ?? entryOf(definition, instance);
    entries.set(instance.id, entry);
    return entry;
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
  return { instance, definition, fate: undefined, version, revision: savedRevision, written, events: [] };
}

/** A new instance that was removed again leaves something only if somebody hears of it. */
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
