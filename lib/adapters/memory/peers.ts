/**
 * The workers of one process, on one adapter.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { type Announcement, byId, MOST_PEERS, type Peer, type Peers } from "../ports.ts";

export class MemoryPeers implements Peers {
  readonly #announced = new Map<
    string,
    { readonly fields: Announcement["fields"]; at: number; ttlMs: number }
  >();

  constructor(private readonly clock: Clock) {}

  announce({ id, fields }: Announcement, ttlMs: number): Promise<void> {
    this.#announced.set(id, { fields: { ...fields }, at: this.clock.monotonic(), ttlMs });
    return Promise.resolve();
  }

  withdraw(id: string): Promise<void> {
    this.#announced.delete(id);
    return Promise.resolve();
  }

  list(): Promise<readonly Peer[]> {
    const now = this.clock.monotonic();
    for (const [id, { at, ttlMs }] of this.#announced) if (now - at >= ttlMs) this.#announced.delete(id);
    const peers = [...this.#announced].map(([id, { fields, at }]) => ({ id, fields, ageMs: now - at }));
    return Promise.resolve(peers.sort(byId).slice(0, MOST_PEERS));
  }
}
