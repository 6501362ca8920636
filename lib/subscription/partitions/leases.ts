/**
 * The leases of one handler in one process. A handler that reads several parted categories owns a key in all
 * of them at once, for its lease is of the group and the key alone (wire 2.11).
 *
 * @module
 */
import type { PartitionLease, PartitionLeaseOptions, Partitions } from "../../adapters/ports.ts";

interface Shared {
  readonly lease: PartitionLease;
  users: number;
}

export class PartitionLeases {
  readonly #held = new Map<string, Shared>();
  readonly #asked = new Map<string, Promise<PartitionLease | undefined>>();

  /**
   * `owner`: the name by which the handler owns keys, in all of its categories. See `Partitions.lease`.
   */
  constructor(private readonly owner: string) {}

  async take(
    partitions: Partitions,
    options: Omit<PartitionLeaseOptions, "owner">,
  ): Promise<PartitionLease | undefined> {
    const name = `${options.group}:${options.key}`;
    const known = this.#held.get(name);
    if (known && !known.lease.signal.aborted) return this.#share(name, known);
    const asked = this.#asked.get(name) ?? partitions.lease({ ...options, owner: this.owner });
    this.#asked.set(name, asked);
    try {
      const lease = await asked;
      if (!lease) return undefined;
      const held = this.#held.get(name);
      const shared = held?.lease === lease ? held : { lease, users: 0 };
      this.#held.set(name, shared);
      return this.#share(name, shared);
    } finally {
      if (this.#asked.get(name) === asked) this.#asked.delete(name);
    }
  }

  #share(name: string, shared: Shared): PartitionLease {
    const { lease } = shared;
    shared.users++;
    let given = false;
    return {
      ...{ fence: lease.fence, name: lease.name, signal: lease.signal },
      [Symbol.asyncDispose]: async () => {
        if (given) return;
        given = true;
        if (--shared.users > 0) return;
        if (this.#held.get(name) === shared) this.#held.delete(name);
        await lease[Symbol.asyncDispose]();
      },
    };
  }
}
