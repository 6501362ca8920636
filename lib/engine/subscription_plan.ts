/**
 * Which subscriptions a domain asks for, with their settings resolved.
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ConfigurationError, type ConfigurationProblem } from "../errors.ts";
import { lanesOf } from "../domain/lanes.ts";
import { brokerOf } from "../domain/places.ts";
import { resolveSettings, type SubscriptionSettings } from "../subscription/settings/resolve.ts";
import { unservedSettings } from "../subscription/settings/unserved.ts";

/** One handler on one stream category. */
export interface PlannedSubscription {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly broker: BaseBroker;
  /** The stream of its messages that can wait; undefined: they have no lane of their own. */
  readonly backfill?: string | undefined;
  readonly settings: SubscriptionSettings;
}

/** Throws one `ConfigurationError` that lists every handler whose settings cannot work. */
export function planSubscriptions(runtime: DomainRuntime): readonly PlannedSubscription[] {
  const problems: ConfigurationProblem[] = [];
  const planned: PlannedSubscription[] = [];
  const lanes = lanesOf(runtime.config.config);
  for (const runner of runtime.runners) {
    const broker = brokerOf(runtime, runner);
    for (const category of runner.categories) {
      try {
        const settings = resolveSettings({ config: runtime.config, handler: runner, category });
        problems.push(...unservedSettings(runner, settings, broker));
        planned.push({ runner, category, broker, settings, backfill: lanes?.backfillOf(runner, category) });
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  const unique = [...new Map(problems.map((problem) => [problem.message, problem])).values()];
  if (unique.length > 0) {
    throw new ConfigurationError(unique.map((problem) => problem.message).join("\n"), { problems: unique });
  }
  return planned;
}
