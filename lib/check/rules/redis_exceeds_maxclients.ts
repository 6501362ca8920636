/** Rule: more connections than Redis takes (CFG-2). @module */
import { exceeded } from "../exceeded.ts";
import type { RuleOf } from "../rule.ts";

export const redisExceedsMaxclients: RuleOf<"domain"> = {
  code: "REDIS_EXCEEDS_MAXCLIENTS",
  level: "warning",
  category: "pools",
  stage: "domain",
  fires:
    "replicas × workers × `max_connections` of brokers and caches come to more than the server's `maxclients`, " +
    "which `--connect` asks for.",
  rationale:
    "Redis refuses whoever comes when it is full, which may be the one that would acknowledge messages.",
  remedy: "Lower 'max_connections', run fewer workers or replicas, or raise 'maxclients' of the server.",
  mend: "redis-cli CONFIG SET maxclients 20000",
  find: (subject) => exceeded(subject, "redis", "max_connections"),
};
