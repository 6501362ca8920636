/** Rule: several readers of an event store that do not see each other's lock (CFG-3). @module */
import type { RuleOf } from "../rule.ts";

export const eventStoreMultiworker: RuleOf<"domain"> = {
  code: "EVENT_STORE_MULTIWORKER",
  level: "warning",
  category: "domain",
  stage: "domain",
  fires:
    "handlers read the event store, several workers or replicas run, and the lock that lets one of them read is in " +
    "a database that they do not share.",
  rationale:
    "Such a handler reads in one process alone, which a lock in the database 'default' sees to. Where every " +
    "process or machine has a database of its own, each of them handles every event.",
  remedy: "Put [databases.default] on PostgreSQL, or run one worker in one replica.",
  mend: "protean-server --workers 1",
  *find({ subscriptions, scale: { workers, replicas }, loaded: { config: { databases } } }) {
    const provider = databases.default?.provider;
    const apart = provider === "memory" ? workers * replicas > 1 : provider === "sqlite" && replicas > 1;
    if (!apart) return;
    const names = subscriptions.filter(({ settings }) => settings.subscriptionType === "event_store")
      .map(({ runner }) => runner.name);
    for (const name of new Set(names)) {
      yield {
        element: name,
        key: "databases.default.provider",
        message: `${name} reads the event store, and its lock is in a database of each ` +
          `${provider === "memory" ? "process" : "replica"}'s own: ${
            workers * replicas
          } processes handle every event.`,
      };
    }
  },
};
