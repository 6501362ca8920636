/**
 * The components of a domain: every adapter that is configured (wire 9.1).
 *
 * @module
 */
import type { BaseAdapter } from "../adapters/ports.ts";
import type { Adapters } from "../domain/runtime.ts";
import { nearlyFull } from "../status/server_memory.ts";
import type { Component } from "./types.ts";

/** One component per provider, broker and cache, and one for the event store where there is one. */
export function componentsOf({ providers, brokers, caches, eventStore }: Adapters): readonly Component[] {
  return [
    ...pinged("provider", providers.values()),
    ...pinged("broker", brokers.values()),
    ...pinged("event_store", eventStore ? [eventStore] : []),
    ...pinged("cache", caches.values()),
  ];
}

function pinged(kind: Component["kind"], adapters: Iterable<BaseAdapter>): Component[] {
  return [...adapters].map((adapter) => ({
    kind,
    name: adapter.name,
    ping: (signal) => adapter.ping(signal),
    // A database would have to be asked about its sessions for nothing.
    ...(kind !== "provider" && kind !== "event_store" && {
      warning: async (signal: AbortSignal) => {
        const facts = await adapter.serverFacts(signal);
        return facts && nearlyFull(facts);
      },
    }),
  }));
}
