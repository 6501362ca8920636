/**
 * Which subscriptions a domain asks for, with their settings resolved.
 *
 * @module
 */
import type { HandlerRunner } from "../domain/handler_port.ts";
import { subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ConfigurationError, type ConfigurationProblem } from "../errors.ts";
import { resolveSettings, type SubscriptionSettings } from "../subscription/settings/resolve.ts";
import { unservedSections, unservedSettings } from "../subscription/settings/unserved.ts";

/** One handler on one stream category. */
export interface PlannedSubscription {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly settings: SubscriptionSettings;
}

/** Throws one `ConfigurationError` that lists every handler whose settings cannot work. */
export function planSubscriptions(runtime: DomainRuntime): readonly PlannedSubscription[] {
  const problems: ConfigurationProblem[] = [];
  const broker = subscriptionBroker(runtime);
  const planned: PlannedSubscription[] = [];
  for (const runner of runtime.runners) {
    for (const category of runner.categories) {
      try {
        const settings = resolveSettings({ config: runtime.config, handler: runner, category });
        problems.push(...unservedSettings(runner, settings, broker));
        planned.push({ runner, category, settings });
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  problems.push(...unservedSections(runtime.config.config));
  const unique = [...new Map(problems.map((problem) => [problem.message, problem])).values()];
  if (unique.length > 0) {
    throw new ConfigurationError(unique.map((problem) => problem.message).join("\n"), { problems: unique });
  }
  return planned;
}
