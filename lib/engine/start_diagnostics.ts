/**
 * What is told at the start, each once: settings that work, and most likely not as meant.
 *
 * @module
 */
import { KINDS } from "../domain/kinds.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { shortMarks } from "../maintenance/mark_retention.ts";
import { settingsOfOtherType } from "../subscription/settings/other_type.ts";
import { streamsInstead, typesWithoutEffect } from "../subscription/settings/type_notes.ts";
import { unboundedStreams } from "../subscription/settings/unbounded.ts";
import { unknownSubscriptionTables } from "../subscription/settings/unknown_tables.ts";
import { settingsWithoutEffect } from "../subscription/settings/without_effect.ts";
import type { PlannedSubscription } from "./subscription_plan.ts";

/** Warnings and notes about a domain and the subscriptions that are planned for it. */
export function* startDiagnostics(
  runtime: DomainRuntime,
  subscriptions: readonly Omit<PlannedSubscription, "broker">[],
): Generator<Diagnostic> {
  const { config, runners } = runtime;
  yield* unknownSubscriptionTables(config, runners);
  yield* settingsWithoutEffect(config, runners);
  yield* typesWithoutEffect(config, runners);
  yield* streamsInstead(config, subscriptions);
  yield* settingsOfOtherType(config, subscriptions);
  // The streams of others are theirs to trim.
  yield* unboundedStreams(subscriptions.filter(({ runner }) => KINDS[runner.kind].messages !== "raw"));
  yield* shortMarks(config.config, subscriptions);
  yield* sharedCategories(runtime, subscriptions);
}

/**
 * Events of ours on a category that a group shared with Python reads: a type that the Python domain has not
 * registered fails there again and again, and stalls its handlers (interop: unknown-types-stall).
 */
function* sharedCategories(
  runtime: DomainRuntime,
  subscriptions: readonly Omit<PlannedSubscription, "broker">[],
): Generator<Diagnostic> {
  const events = runtime.messageNames.flatMap((name) => runtime.messageType(name) ?? [])
    .filter(({ kind }) => kind === "event");
  for (const { runner, category } of subscriptions.filter(({ runner }) => runner.sharedGroup)) {
    const types = events.filter(({ aggregate }) => aggregate?.category === category)
      .map(({ typeString }) => typeString);
    if (types.length === 0) continue;
    yield {
      code: "CONFIG_SHARED_CATEGORY",
      level: "warning",
      key: "consumerGroup",
      message:
        `${runner.name} shares the group '${runner.group}' on '${category}', where this domain publishes ${
          types.join(", ")
        }: a Python domain that reads it stalls on types that it has not registered, so register each of them ` +
        "there with register_external_event.",
    };
  }
}

/** The name of the log's event for a diagnostic: `config.no_effect` for `CONFIG_NO_EFFECT`. */
export function eventName({ code }: Diagnostic): string {
  return code.toLowerCase().replace("_", ".");
}
