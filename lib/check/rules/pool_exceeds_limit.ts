/** Rule: more connections than the database has to give (the guide, "Size the pool"; CFG-2). @module */
import { exceeded } from "../exceeded.ts";
import type { RuleOf } from "../rule.ts";

export const poolExceedsLimit: RuleOf<"domain"> = {
  code: "POOL_EXCEEDS_DATABASE_LIMIT",
  level: "warning",
  category: "pools",
  stage: "domain",
  fires:
    "replicas × workers × (`pool_size` + `max_overflow`), and what stands beside the pools, come to more than " +
    "`connection_budget`, else than the server has free (`--connect`), else than PostgreSQL's default of 100.",
  rationale:
    "Every worker has a pool of its own. Where they come to more than the database takes, connections are " +
    "refused under load, which is when they are needed, and administrators cannot get in either.",
  remedy:
    "Lower 'pool_size' or 'max_overflow', run fewer workers or replicas, raise 'max_connections' of the " +
    "database, or say what a pooler in between allows by 'connection_budget'.",
  mend: "connection_budget = 300",
  find: (subject) => exceeded(subject, "database", "pool_size"),
};
