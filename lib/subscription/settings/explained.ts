/**
 * The resolved settings of every subscription with what decided each, under the keys of `domain.toml`.
 *
 * @module
 */
import { configurationError } from "../../config/problems.ts";
import { handlerOnlyShape, settingShape } from "../../config/schema/subscription.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { ConfigurationError, type ConfigurationProblem } from "../../errors.ts";
import { camelCase } from "./handler_options.ts";
import { type ExplainedSettings, explainSettings, type SubscriptionSettings } from "./resolve.ts";

/** One setting: null where there is none. */
export interface ExplainedSetting {
  readonly value: string | number | boolean | null;
  /** `handler`, `profile fast`, `[server.subscriptions.Audit]`, `[server]`, `default`, … */
  readonly origin: string;
}

/** One handler on one stream category. */
export interface ExplainedSubscription {
  /** The handler's, as it is declared. */
  readonly name: string;
  readonly stream_category: string;
  readonly settings: Readonly<Record<string, ExplainedSetting>>;
}

/** Settings whose names in code are not those of `domain.toml`. */
const NAMES: ReadonlyMap<string, keyof SubscriptionSettings> = new Map([
  ["tick_interval", "tickIntervalSeconds"],
]);

/**
 * Every subscription of a domain, in order of declaration. Throws one `ConfigurationError` that lists
 * everything wrong with any of them.
 */
export function explainSubscriptions(
  { config, runners }: Pick<DomainRuntime, "config" | "runners">,
): readonly ExplainedSubscription[] {
  const problems: ConfigurationProblem[] = [];
  const explained: ExplainedSubscription[] = [];
  for (const handler of runners) {
    for (const category of handler.categories) {
      try {
        const settings = settingsOf(explainSettings({ config, handler, category }));
        explained.push({ name: handler.name, stream_category: category, settings });
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  // A handler of several categories is wrong once.
  const unique = [...new Map(problems.map((problem) => [problem.message, problem])).values()];
  if (unique.length > 0) throw configurationError(unique);
  return explained;
}

function settingsOf({ settings, sources }: ExplainedSettings): Record<string, ExplainedSetting> {
  const profile: ExplainedSetting = {
    value: settings.profile ?? null,
    origin: sources.get("profile") ?? (settings.profile === undefined ? "default" : "[server]"),
  };
  const keys = [...Object.keys(settingShape), ...Object.keys(handlerOnlyShape)];
  const rest = keys.map((key): [string, ExplainedSetting] => {
    const name = NAMES.get(key) ?? camelCase(key) as keyof SubscriptionSettings;
    return [key, { value: settings[name] ?? null, origin: sources.get(key) ?? "default" }];
  });
  return { profile, ...Object.fromEntries(rest) };
}
