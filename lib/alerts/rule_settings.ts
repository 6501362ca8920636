/**
 * `[alerts.rules]` as the code wants it.
 *
 * @module
 */
import { alertsSchema } from "../config/schema/alerts.ts";
import type { Config } from "../config/schema.ts";

export type AlertRules = Config["alerts"]["rules"];
export type RuleName = keyof AlertRules;

/** Every rule there is. */
export const RULE_NAMES: readonly string[] = Object.keys(alertsSchema.parse({}).rules);

/** What a rule needs of its settings. */
export interface RuleSettings {
  readonly enabled: boolean;
  readonly threshold: number | undefined;
  /** Seconds for which it must be so before it fires. */
  readonly lastsSeconds: number;
  isAbout(subject: string): boolean;
}

/** Every rule. */
export function ruleSettings(rules: AlertRules): ReadonlyMap<string, RuleSettings> {
  return new Map(
    Object.entries(rules).map(([rule, settings]) => {
      const threshold = "threshold" in settings ? settings.threshold : undefined;
      const lasting = "for_seconds" in settings ? settings.for_seconds : 0;
      // Its threshold is a time for which it has been so.
      const still = rule === ("silent_subscription" satisfies RuleName) ? threshold ?? 0 : 0;
      const patterns = settings.subjects.map(pattern);
      return [rule, {
        ...{ enabled: settings.enabled, threshold, lastsSeconds: still + lasting },
        isAbout: (subject: string) => patterns.some((wanted) => wanted.test(subject)),
      }];
    }),
  );
}

/** `*` stands for any text, `?` for any character. */
function pattern(glob: string): RegExp {
  const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const parts = glob.split(/(\*+|\?)/).map((part) =>
    part.startsWith("*") ? "[^]*" : part === "?" ? "[^]" : literal(part)
  );
  return new RegExp(`^${parts.join("")}$`, "u");
}
