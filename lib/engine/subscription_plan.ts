/**
 * Which subscriptions a domain asks for, with their settings resolved.
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { planSettings } from "../check/plan.ts";
import { ConfigurationError } from "../errors.ts";
import { lanesOf } from "../domain/lanes.ts";
import { brokerOf } from "../domain/places.ts";
import type { SubscriptionSettings } from "../subscription/settings/resolve.ts";

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
  const lanes = lanesOf(runtime.config.config);
  const broker = (runner: HandlerRunner) => brokerOf(runtime, runner);
  const { planned, problems } = planSettings(runtime.config, runtime.runners, broker);
  if (problems.length > 0) {
    throw new ConfigurationError(problems.map((problem) => problem.message).join("\n"), { problems });
  }
  return planned.map(({ runner, category, settings }) => ({
    ...{ runner, category, settings, broker: broker(runner) },
    backfill: lanes?.backfillOf(runner, category),
  }));
}
