/**
 * Every rule of `check`. A further one is a file in `rules/` and a line here; `docs/reference/check.md` is
 * made from this list.
 *
 * @module
 */
import { loadingRules } from "./loading_rules.ts";
import type { Rule, RuleOf, RuleText } from "./rule.ts";
import { alertCallback } from "./rules/alert_callback.ts";
import { dependencyUnreachable } from "./rules/dependency_unreachable.ts";
import { dlqMaintenanceOff } from "./rules/dlq_maintenance_off.ts";
import { embeddedInProduction } from "./rules/embedded_in_production.ts";
import { eventNotRead } from "./rules/event_not_read.ts";
import { eventStoreMultiworker } from "./rules/event_store_multiworker.ts";
import { healthUnreachable } from "./rules/health_unreachable.ts";
import { lowPoolSize } from "./rules/low_pool_size.ts";
import { manifestEmbeddedReplicas } from "./rules/manifest_embedded_replicas.ts";
import { manifestGracePeriod } from "./rules/manifest_grace_period.ts";
import { manifestNotWritable } from "./rules/manifest_not_writable.ts";
import { manifestPorts } from "./rules/manifest_ports.ts";
import { manifestPreStop } from "./rules/manifest_pre_stop.ts";
import { manifestProbes } from "./rules/manifest_probes.ts";
import { manifestRootWritable } from "./rules/manifest_root_writable.ts";
import { noEffect } from "./rules/no_effect.ts";
import { noEventStore } from "./rules/no_event_store.ts";
import { noPublisher } from "./rules/no_publisher.ts";
import { plaintextSecret } from "./rules/plaintext_secret.ts";
import { poolExceedsLimit } from "./rules/pool_exceeds_limit.ts";
import { publishedNoExternalBroker } from "./rules/published_no_external_broker.ts";
import { pythonOnly } from "./rules/python_only.ts";
import { redisEvicts } from "./rules/redis_evicts.ts";
import { redisExceedsMaxclients } from "./rules/redis_exceeds_maxclients.ts";
import { redisMemory } from "./rules/redis_memory.ts";
import { sharedCategory } from "./rules/shared_category.ts";
import { shortMarks } from "./rules/short_marks.ts";
import { unboundedStream } from "./rules/unbounded_stream.ts";
import { unhandledEvent } from "./rules/unhandled_event.ts";
import { unknownHandler } from "./rules/unknown_handler.ts";
import { unusedCommand } from "./rules/unused_command.ts";

/** In the order in which they are asked; findings are sorted afterwards. */
export const RULES: readonly Rule[] = [
  lowPoolSize,
  poolExceedsLimit,
  redisExceedsMaxclients,
  dependencyUnreachable,
  redisEvicts,
  redisMemory,
  embeddedInProduction,
  dlqMaintenanceOff,
  healthUnreachable,
  plaintextSecret,
  unknownHandler,
  noEffect,
  noEventStore,
  unboundedStream,
  shortMarks,
  pythonOnly,
  alertCallback,
  sharedCategory,
  eventStoreMultiworker,
  unhandledEvent,
  unusedCommand,
  noPublisher,
  eventNotRead,
  publishedNoExternalBroker,
  manifestProbes,
  manifestPorts,
  manifestGracePeriod,
  manifestPreStop,
  manifestRootWritable,
  manifestNotWritable,
  manifestEmbeddedReplicas,
  ...loadingRules,
];

/** The rules of one stage. */
export function rulesOf<S extends Rule["stage"]>(stage: S): readonly RuleOf<S>[] {
  return RULES.filter((rule): rule is RuleOf<S> => rule.stage === stage);
}

const byCode = new Map<string, RuleText>(RULES.toReversed().map((rule) => [rule.code, rule]));

/** What is known of a code; undefined for one that no rule has, such as a custom adapter's. */
export function ruleOf(code: string): RuleText | undefined {
  return byCode.get(code);
}
