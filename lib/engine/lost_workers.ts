/**
 * Workers whose heartbeat ended without a clean stop (operations 11): they grow silent before they are
 * forgotten, and one that stops cleanly does not.
 *
 * @module
 */
import type { Peer } from "../adapters/ports.ts";
import type { LostWorker } from "../alerts/figures.ts";
import { HEARTBEAT_EVERY_MS, HEARTBEAT_TTL_MS } from "./heartbeat.ts";

/** One that has left out so many heartbeats was silent. */
const SILENT_MS = 2 * HEARTBEAT_EVERY_MS;
/** So long, and so many, are told. */
const TOLD_FOR_MS = 3_600_000;
const MOST_TOLD = 1_000;

interface Seen {
  readonly peer: Peer;
  /** Monotonic ms. */
  readonly at: number;
}

interface Lost extends LostWorker {
  /** Monotonic ms. */
  readonly at: number;
}

export class LostWorkers {
  #seen: ReadonlyMap<string, Seen> = new Map();
  readonly #lost = new Map<string, Lost>();

  /** Takes those who are there at `now`, monotonic ms; returns those who were lost, and those of them who came back. */
  look(peers: readonly Peer[], now: number): readonly LostWorker[] {
    const here = new Map(peers.map((peer) => [peer.id, { peer, at: now }]));
    for (const [id, { at }] of this.#lost) {
      if (now - at > TOLD_FOR_MS) this.#lost.delete(id);
    }
    for (const [id, { peer, at }] of this.#seen) {
      const isForgotten = peer.ageMs + now - at >= HEARTBEAT_TTL_MS - HEARTBEAT_EVERY_MS;
      if (here.has(id) || peer.ageMs < SILENT_MS || !isForgotten) continue;
      const { host = "?", pid = "?" } = peer.fields;
      if (this.#lost.size < MOST_TOLD) this.#lost.set(id, { id, host, pid, gone: true, at: now });
    }
    this.#seen = here;
    return [...this.#lost.values()].map(({ id, host, pid }) => ({ id, host, pid, gone: !here.has(id) }));
  }
}
