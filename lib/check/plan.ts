/**
 * Which subscriptions handlers ask for, with their settings resolved: by the engine, which runs them, and by
 * `check`, which only judges them.
 *
 * @module
 */
import type { LoadedConfig } from "../config/loaded.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { ConfigurationError } from "../errors.ts";
import { resolveSettings, type SubscriptionSettings } from "../subscription/settings/resolve.ts";
import { unservedSettings } from "../subscription/settings/unserved.ts";
import type { SubjectHandler } from "./subject.ts";

export interface SettingsPlan<H> {
  readonly planned: readonly {
    readonly runner: H;
    readonly category: string;
    readonly settings: SubscriptionSettings;
  }[];
  /** Everything that is wrong with the settings, each sentence once. */
  readonly problems: readonly Diagnostic[];
}

/** Resolves the settings of every handler and category. `brokerOf` is what a handler reads from. */
export function planSettings<H extends SubjectHandler>(
  config: LoadedConfig,
  handlers: readonly H[],
  brokerOf: (handler: H) => { readonly name: string; readonly partitions: object | undefined },
): SettingsPlan<H> {
  const problems: Diagnostic[] = [];
  const planned: SettingsPlan<H>["planned"][number][] = [];
  for (const runner of handlers) {
    const broker = brokerOf(runner);
    for (const category of runner.categories) {
      try {
        const settings = resolveSettings({ config, handler: runner, category });
        problems.push(...unservedSettings(runner, settings, broker));
        planned.push({ runner, category, settings });
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  return { planned, problems: onceEach(problems) };
}

/** Each sentence once, in its order. */
export function onceEach(problems: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()];
}
