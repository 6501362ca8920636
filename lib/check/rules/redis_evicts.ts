/** Rule: a Redis that throws messages away when it is full (CFG-3). @module */
import type { RuleOf } from "../rule.ts";

export const redisEvicts: RuleOf<"server"> = {
  code: "REDIS_EVICTS",
  level: "warning",
  category: "servers",
  stage: "server",
  fires: "the `maxmemory-policy` of a broker's Redis is anything but `noeviction`.",
  rationale:
    "When it is full, such a server deletes streams, groups, dead letters or leases to make room: messages are " +
    "lost without a trace. One that evicts nothing refuses writes, and the outbox waits.",
  remedy: "Set 'maxmemory-policy' to noeviction, and give a cache that may evict a server of its own.",
  mend: "redis-cli CONFIG SET maxmemory-policy noeviction",
  *find({ kind, section, facts }) {
    const policy = facts?.evictionPolicy;
    if (kind !== "broker" || policy === undefined || policy === "noeviction") return;
    yield {
      key: `${section}.URI`,
      message:
        `The Redis of '${section}' has the maxmemory-policy ${policy}: it deletes messages when it is full.`,
    };
  },
};
