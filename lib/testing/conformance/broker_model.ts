/**
 * The simplest broker there is: what every adapter must be indistinguishable from. Ids come from the adapter
 * under test; of time it knows only whether an entry was released, which makes it idle for a day.
 *
 * @module
 */

export interface ModelEntry {
  readonly id: string;
  readonly data: string;
}

export interface ModelPending {
  readonly id: string;
  consumer: string;
  count: number;
  released: boolean;
}

export interface ModelGroup {
  /** How many of `history` it has read. */
  read: number;
  pending: ModelPending[];
  /** Those that were given an entry and are not gone. */
  readonly consumers: Set<string>;
}

/** A stream that exists. */
export class ModelStream {
  /** All ids ever, in order. */
  readonly history: string[] = [];
  entries: ModelEntry[] = [];
  readonly groups = new Map<string, ModelGroup>();
  /** True once an entry was taken out of the middle. */
  holes = false;

  append(id: string, data: string): void {
    this.history.push(id);
    this.entries.push({ id, data });
  }

  holds(id: string): boolean {
    return this.entries.some((entry) => entry.id === id);
  }

  remove(id: string): boolean {
    const held = this.holds(id);
    this.holes ||= held;
    this.entries = this.entries.filter((entry) => entry.id !== id);
    return held;
  }

  dropOldest(count: number): void {
    this.entries = this.entries.slice(count);
  }

  /** Entries that the group has not read. */
  unread(group: ModelGroup): ModelEntry[] {
    const passed = new Set(this.history.slice(0, group.read));
    return this.entries.filter(({ id }) => !passed.has(id));
  }

  lastRead(group: ModelGroup): string {
    return this.history[group.read - 1] ?? "0-0";
  }
}

export class BrokerModel {
  readonly streams = new Map<string, ModelStream>();

  open(stream: string): ModelStream {
    const found = this.streams.get(stream) ?? new ModelStream();
    this.streams.set(stream, found);
    return found;
  }

  ensure(stream: string, group: string): boolean {
    const { groups } = this.open(stream);
    if (groups.has(group)) return false;
    groups.set(group, { read: 0, pending: [], consumers: new Set() });
    return true;
  }

  group(stream: string, group: string): ModelGroup | undefined {
    return this.streams.get(stream)?.groups.get(group);
  }

  /** What a read delivers; undefined where the group is missing. */
  read(stream: string, name: string, consumer: string, count: number): readonly ModelEntry[] | undefined {
    const log = this.streams.get(stream);
    const group = log?.groups.get(name);
    if (!log || !group) return undefined;
    const entries = log.unread(group).slice(0, count);
    if (entries.length > 0) group.consumers.add(consumer);
    for (const { id } of entries) group.pending.push({ id, consumer, count: 1, released: false });
    const last = entries.at(-1);
    if (last) group.read = log.history.lastIndexOf(last.id) + 1;
    return entries;
  }

  /** Acknowledges one by one; a lane that is empty then is gone, and so is what is pending on it. */
  ack(stream: string, name: string, ids: readonly string[], lane: boolean): number {
    return ids.filter((id) => {
      const group = this.group(stream, name);
      const held = group?.pending.some((entry) => entry.id === id);
      if (!group || !held) return false;
      group.pending = group.pending.filter((entry) => entry.id !== id);
      if (!lane) return true;
      const log = this.open(stream);
      log.remove(id);
      if (log.entries.length === 0) this.streams.delete(stream);
      return true;
    }).length;
  }

  /** The pending entry that `consumer` owns. One that the stream no longer holds is forgotten instead. */
  owned(stream: string, name: string, consumer: string, id: string): ModelPending | undefined {
    const group = this.group(stream, name);
    const pending = group?.pending.find((entry) => entry.id === id);
    if (!group || pending?.consumer !== consumer) return undefined;
    if (this.streams.get(stream)?.holds(id)) return pending;
    group.pending = group.pending.filter((entry) => entry.id !== id);
    return undefined;
  }

  claim(
    stream: string,
    name: string,
    claim: { readonly id: string; readonly from: string; readonly to: string; readonly long: boolean },
  ): { id: string; data: string | undefined; count: number; trimmed: boolean } | undefined {
    const { id, from, to, long } = claim;
    const group = this.group(stream, name);
    const pending = group?.pending.find((entry) => entry.id === id);
    if (!group || pending?.consumer !== from || (long && !pending.released)) return undefined;
    const entry = this.streams.get(stream)?.entries.find((held) => held.id === id);
    if (!entry) {
      group.pending = group.pending.filter((other) => other.id !== id);
      return { id, data: undefined, count: pending.count, trimmed: true };
    }
    group.consumers.add(to);
    Object.assign(pending, { consumer: to, released: false });
    return { id, data: entry.data, count: pending.count, trimmed: false };
  }

  /** The entries that a trim may drop. */
  trimmable(stream: string, maxLength: number): readonly ModelEntry[] {
    const log = this.streams.get(stream);
    if (!log || log.groups.size === 0) return [];
    const needed = [...log.groups.values()].flatMap((group) => [
      ...log.unread(group).map(({ id }) => id),
      ...group.pending.map(({ id }) => id),
    ]);
    // A pending id whose entry is gone holds back what came after it, too.
    const lowest = Math.min(...needed.map((id) => log.history.lastIndexOf(id)), Infinity);
    const free = log.entries.filter(({ id }) => log.history.lastIndexOf(id) < lowest);
    return free.slice(0, Math.max(0, log.entries.length - maxLength));
  }

  /** True unless something is pending on the consumer, which is gone then. */
  retire(stream: string, name: string, consumer: string): boolean {
    const group = this.group(stream, name);
    const busy = group?.pending.some((entry) => entry.consumer === consumer) ?? false;
    if (!busy) group?.consumers.delete(consumer);
    return !busy;
  }
}
