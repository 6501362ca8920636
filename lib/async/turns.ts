/**
 * A line before something scarce that one busy party cannot fill up.
 *
 * @module
 */

/**
 * Those who wait, in a fair order. Owners take turns, however many places each has in the line; whoever
 * waits on nobody's behalf is served at every second turn, first come, first served.
 */
export class Turns<W> {
  /** The owner that is next comes first. */
  readonly #owned = new Map<object, Set<W>>();
  readonly #others = new Set<W>();
  #othersNext = true;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Joins the line; each waiter once. */
  add(waiter: W, owner: object | undefined): void {
    this.#size++;
    const line = owner ? this.#owned.get(owner) : this.#others;
    if (line) line.add(waiter);
    else if (owner) this.#owned.set(owner, new Set([waiter]));
  }

  /** Leaves the line; nothing happens if it has left already. */
  delete(waiter: W, owner: object | undefined): void {
    const line = owner ? this.#owned.get(owner) : this.#others;
    if (!line?.delete(waiter)) return;
    this.#size--;
    if (owner && line.size === 0) this.#owned.delete(owner);
  }

  /** Takes whoever is next out of the line. */
  take(): W | undefined {
    const others = this.#others.size > 0 && (this.#othersNext || this.#owned.size === 0);
    this.#othersNext = !others;
    if (others) return this.#takeFrom(this.#others);
    const [next] = this.#owned;
    if (!next) return undefined;
    const [owner, line] = next;
    const waiter = this.#takeFrom(line);
    this.#owned.delete(owner);
    if (line.size > 0) this.#owned.set(owner, line);
    return waiter;
  }

  /** Everybody leaves. */
  clear(): readonly W[] {
    const all = [...this.#others, ...[...this.#owned.values()].flatMap((line) => [...line])];
    this.#others.clear();
    this.#owned.clear();
    this.#size = 0;
    return all;
  }

  #takeFrom(line: Set<W>): W | undefined {
    const [first] = line;
    if (first === undefined) return undefined;
    line.delete(first);
    this.#size--;
    return first;
  }
}
