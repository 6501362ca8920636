/**
 * Found by `servers.ts`, which asks every dependency: one that refuses says so by a code of its own.
 *
 * @module
 */
import type { RuleOf } from "../rule.ts";

export const dependencyUnreachable: RuleOf<"asking"> = {
  code: "DEPENDENCY_UNREACHABLE",
  level: "error",
  category: "servers",
  stage: "asking",
  fires: "a database, broker, cache or event store does not answer within five seconds.",
  rationale: "The server would start, answer 503 on `/readyz`, and wait.",
  remedy: "Start it, mend its address in domain.toml, or let this machine through to it.",
  mend: "protean-server check --connect",
};
