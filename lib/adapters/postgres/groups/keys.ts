/**
 * What is touched by members at the server: one set for all groups of a process, so that none of them waits
 * for another at the server, or undoes it.
 *
 * @module
 */
import type { Member } from "./member.ts";

interface Holding {
  members: number;
  /** Made when somebody asks for it. */
  free: PromiseWithResolvers<void> | undefined;
}

export class Keys {
  readonly #held = new Map<string, Holding>();

  /** Begins to choose the members of one group. */
  round(): Round {
    return new Round(this.#held);
  }

  /** True where a key of the member is free now. */
  release({ keys }: Member): boolean {
    let isFree = false;
    for (const { name } of keys) {
      const holding = this.#held.get(name);
      if (!holding || --holding.members > 0) continue;
      this.#held.delete(name);
      holding.free?.resolve();
      isFree = true;
    }
    return isFree;
  }

  /** Resolves when nobody holds the key; undefined: nobody does. */
  settled(key: string): Promise<void> | undefined {
    const holding = this.#held.get(key);
    if (!holding) return undefined;
    return (holding.free ??= Promise.withResolvers()).promise;
  }
}

class Round {
  readonly #held: Map<string, Holding>;
  /** Rows that members of this group write whatever is there. */
  readonly #blind = new Set<string>();
  /** Keys that somebody waits for who came first. */
  readonly #awaited = new Set<string>();

  constructor(held: Map<string, Holding>) {
    this.#held = held;
  }

  /** Takes the member's keys. False: it has to wait, and those behind it that touch the same. */
  mayTake(member: Member): boolean {
    for (const { name, blind } of member.keys) {
      const isFree = !this.#held.has(name) || blind && this.#blind.has(name);
      if (isFree && !this.#awaited.has(name)) continue;
      this.pass(member);
      return false;
    }
    for (const { name, blind } of member.keys) {
      const holding = this.#held.get(name);
      if (holding) holding.members++;
      else this.#held.set(name, { members: 1, free: undefined });
      if (blind) this.#blind.add(name);
    }
    return true;
  }

  /** It waits. */
  pass({ keys }: Member): void {
    for (const { name } of keys) this.#awaited.add(name);
  }
}
