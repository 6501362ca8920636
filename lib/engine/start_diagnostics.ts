/**
 * What is told at the start, each once: settings that work, and most likely not as meant.
 *
 * @module
 */
import type { DomainRuntime } from "../domain/runtime.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { unboundedStreams } from "../subscription/settings/unbounded.ts";
import { unknownSubscriptionTables } from "../subscription/settings/unknown_tables.ts";
import { settingsWithoutEffect } from "../subscription/settings/without_effect.ts";
import type { PlannedSubscription } from "./subscription_plan.ts";

/** Warnings and notes about a domain and the subscriptions that are planned for it. */
export function* startDiagnostics(
  { config, runners }: DomainRuntime,
  subscriptions: readonly PlannedSubscription[],
): Generator<Diagnostic> {
  yield* unknownSubscriptionTables(config, runners);
  yield* settingsWithoutEffect(config, runners);
  yield* unboundedStreams(subscriptions);
}

/** The name of the log's event for a diagnostic: `config.no_effect` for `CONFIG_NO_EFFECT`. */
export function eventName({ code }: Diagnostic): string {
  return code.toLowerCase().replace("_", ".");
}
