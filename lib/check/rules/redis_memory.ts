/** Rule: a Redis that is about to be full. @module */
import { nearlyFull } from "../../status/server_memory.ts";
import type { RuleOf } from "../rule.ts";

export const redisMemory: RuleOf<"server"> = {
  code: "REDIS_NEARLY_FULL",
  level: "warning",
  category: "servers",
  stage: "server",
  fires: "Redis uses more than 0.8 of its `maxmemory`; `/readyz` tells it too, and stays 200.",
  rationale:
    "At `maxmemory` it refuses every write: outbox rows wait, and so does everything that is published.",
  remedy:
    "Raise 'maxmemory', trim streams by 'retention_maxlen' and dead letters by [server.dlq], or keep large payloads " +
    "elsewhere and send a reference.",
  mend: "redis-cli CONFIG SET maxmemory 4gb",
  *find({ section, facts }) {
    const message = facts && nearlyFull(facts);
    if (message !== undefined) yield { key: `${section}.URI`, message: `'${section}': ${message}` };
  },
};
