/**
 * Which subscriptions a domain asks for, with their settings resolved.
 *
 * @module
 */
import type { HandlerRunner } from "../domain/handler_port.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ConfigurationError, type ConfigurationProblem } from "../errors.ts";
import { resolveSettings, type SubscriptionSettings } from "../subscription/settings/resolve.ts";

/** One handler on one stream category. */
export interface PlannedSubscription {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly settings: SubscriptionSettings;
}

/** Throws one `ConfigurationError` that lists every handler whose settings cannot work. */
export function planSubscriptions(runtime: DomainRuntime): readonly PlannedSubscription[] {
  const problems: ConfigurationProblem[] = [];
  const planned: PlannedSubscription[] = [];
  for (const runner of runtime.runners) {
    for (const category of runner.categories) {
      try {
        const settings = resolveSettings({ config: runtime.config, handler: runner, category });
        if (settings.subscriptionType === "stream") planned.push({ runner, category, settings });
        else problems.push(eventStoreProblem(runner));
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  if (runtime.config.config.server.priority_lanes.enabled) {
    problems.push({
      code: "PRIORITY_LANES_UNAVAILABLE",
      key: "server.priority_lanes.enabled",
      message: "[server.priority_lanes] is not read by this version: leave 'enabled' false.",
    });
  }
  const unique = [...new Map(problems.map((problem) => [problem.message, problem])).values()];
  if (unique.length > 0) {
    throw new ConfigurationError(unique.map((problem) => problem.message).join("\n"), { problems: unique });
  }
  return planned;
}

function eventStoreProblem(runner: HandlerRunner): ConfigurationProblem {
  return {
    code: "SUBSCRIPTION_TYPE_UNAVAILABLE",
    message:
      `${runner.name} resolves to an event_store subscription, which this version does not run: set subscriptionType "stream" on it.`,
  };
}
