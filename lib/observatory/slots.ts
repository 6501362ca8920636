/**
 * A place from 1 on for each worker, which it keeps while it is there, and which another one gets
 * afterwards: so that restarts add no series (TEL-1).
 *
 * @module
 */
export class Slots {
  readonly #taken = new Map<string, number>();

  /** The places of those that are there now. */
  of(ids: readonly string[]): ReadonlyMap<string, number> {
    const there = new Set(ids);
    for (const id of this.#taken.keys()) if (!there.has(id)) this.#taken.delete(id);
    const used = new Set(this.#taken.values());
    let free = 1;
    for (const id of ids) {
      if (this.#taken.has(id)) continue;
      while (used.has(free)) free++;
      used.add(free);
      this.#taken.set(id, free);
    }
    return this.#taken;
  }
}
