/**
 * A domain for whoever asks for its status: which of its handlers read the event store.
 *
 * @module
 */
import type { DomainRuntime } from "../../domain/runtime.ts";
import type { StatusRuntime } from "../../status/collect.ts";
import { resolveSettings } from "./resolve.ts";

/** The same runtime. A handler whose settings are wrong counts as one that reads a stream. */
export function withStatus(runtime: DomainRuntime): DomainRuntime & StatusRuntime {
  const stored = new Set<string>();
  for (const handler of runtime.runners) {
    for (const category of handler.categories) {
      if (readsStore(runtime, handler, category)) stored.add(keyOf(handler.group, category));
    }
  }
  return { ...runtime, readsEventStore: ({ group }, category) => stored.has(keyOf(group, category)) };
}

function readsStore(
  { config }: DomainRuntime,
  handler: DomainRuntime["runners"][number],
  category: string,
): boolean {
  try {
    return resolveSettings({ config, handler, category }).subscriptionType === "event_store";
  } catch {
    return false;
  }
}

function keyOf(group: string, category: string): string {
  return JSON.stringify([group, category]);
}
