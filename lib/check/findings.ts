/**
 * From what rules have found to what is reported: completed, sorted, suppressed and judged (wire 8.4).
 *
 * @module
 */
import type { Config } from "../config/schema.ts";
import type { Diagnostic, DiagnosticLevel } from "../diagnostics.ts";
import type { Found, RuleText } from "./rule.ts";

/** A finding whose level is said. */
export type Finding = Diagnostic & { readonly level: DiagnosticLevel };

/** Completes what a rule has found by what the rule says of itself. */
export function finding({ code, level }: Pick<RuleText, "code" | "level">, found: Found): Finding {
  return { ...found, code: found.code ?? code, level: found.level ?? level };
}

/** What a room below has told of a start that would end. */
export function problemFinding(problem: Diagnostic): Finding {
  return { ...problem, level: problem.level ?? "error" };
}

/** By code, element, key and message; the same sentence under the same code once. */
export function sorted(findings: readonly Finding[]): readonly Finding[] {
  const key = ({ code, element = "", key = "", message }: Finding) => [code, element, key, message];
  const unique = new Map(findings.map((one) => [`${one.code} ${one.file}:${one.line} ${one.message}`, one]));
  return [...unique.values()].sort((a, b) => compare(key(a), key(b)));
}

function compare(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((text, index) => text !== b[index]);
  if (at < 0) return 0;
  return (a[at] ?? "") < (b[at] ?? "") ? -1 : 1;
}

/**
 * Without the first N of each code that `[lint] suppressions` names. Errors stay: what cannot work is not made
 * to work by not being told.
 */
export function unsuppressed(
  findings: readonly Finding[],
  suppressions: Config["lint"]["suppressions"],
): readonly Finding[] {
  const left = new Map(Object.entries(suppressions));
  return findings.filter(({ code, level }) => {
    const allowed = left.get(code) ?? 0;
    if (level === "error" || allowed <= 0) return true;
    left.set(code, allowed - 1);
    return false;
  });
}

/** How many there are of each level. */
export interface Counts {
  readonly errors: number;
  readonly warnings: number;
  readonly infos: number;
}

export function countsOf(findings: readonly Finding[]): Counts {
  const count = (level: DiagnosticLevel) => findings.filter((one) => one.level === level).length;
  return { errors: count("error"), warnings: count("warning"), infos: count("info") };
}

/** The worst of them in a word. */
export function statusOf({ errors, warnings, infos }: Counts): "pass" | "info" | "warn" | "fail" {
  return errors > 0 ? "fail" : warnings > 0 ? "warn" : infos > 0 ? "info" : "pass";
}

/**
 * Whether a build is to fail for them: for errors always, for warnings unless `[lint] level` is "error", for
 * notes only where it is "info".
 */
export function isGated({ errors, warnings, infos }: Counts, level: Config["lint"]["level"]): boolean {
  return errors > 0 || level !== "error" && warnings > 0 || level === "info" && infos > 0;
}

const RANKS: Readonly<Record<DiagnosticLevel, number>> = { error: 0, warning: 1, info: 2 };

/** Those of at least this level. */
export function atLeast(level: DiagnosticLevel, findings: readonly Finding[]): readonly Finding[] {
  return findings.filter((one) => RANKS[one.level] <= RANKS[level]);
}
