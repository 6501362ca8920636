/**
 * Turns what is wrong with a configuration into sentences: where, what was expected, what is there (secrets
 * masked), and the nearest valid word (CFG-1).
 *
 * @module
 */
import type { z } from "zod";
import type { ErrorCode } from "../error_codes.ts";
import { ConfigurationError, type ConfigurationProblem } from "../errors.ts";
import { choices, expectation } from "./expectation.ts";
import { isSecretKey, shown } from "./secrets.ts";
import { endingWithHint, nearest } from "./nearest.ts";
import { PYTHON_NAMES } from "./python_only.ts";
import type { SubstitutionFailure } from "./substitute.ts";
import { dotted, type Path, type Table, valueAt } from "./tree.ts";
import { keyPaths, keysOf, schemaAt } from "./walk.ts";

/** A problem before its place in the file is known. */
export interface Finding {
  readonly code: ErrorCode;
  readonly path: Path;
  readonly message: string;
}

/** `current value is "abc"`, masked. */
export function currently(path: Path, value: unknown): string {
  return `current value is ${shown(lastName(path), value)}`;
}

/**
 * A key that the schema does not know at this place; `overlay` is the name of the environment table it stands
 * in.
 */
export function unknownKey(root: z.core.$ZodType, path: Path, value: unknown, overlay: Path = []): Finding {
  const whole = [...overlay, ...path];
  const meant = meantKey(root, path);
  const hint = meant ? `; did you mean '${meant.length === 1 ? meant[0] : dotted(meant)}'?` : ".";
  // A secret under a misspelt name is still a secret.
  const named = meant && isSecretKey(meant.at(-1) ?? "") ? meant : path;
  const current = mayBeShown(value, meant && schemaAt(root, meantPath(path, meant)))
    ? ` (${currently(named, value)})`
    : "";
  return {
    code: "CONFIG_UNKNOWN_KEY",
    path: whole,
    message: `Unknown key '${dotted(whole)}'${current}${hint}`,
  };
}

/**
 * Nobody knows what the text of an unknown key is: only numbers, truth values and words that we know
 * ourselves are repeated.
 */
function mayBeShown(value: unknown, schema: z.core.$ZodType | undefined): boolean {
  if (typeof value !== "string") return typeof value === "number" || typeof value === "boolean";
  return schema !== undefined && choices(schema).includes(value);
}

/** A key of the same table has no path in its name. */
function meantPath(path: Path, meant: readonly string[]): Path {
  return meant.length === 1 ? [...path.slice(0, -1), ...meant] : meant;
}

/** The nearest key of the same table, by its own name; else the path of the same key where it does exist. */
function meantKey(root: z.core.$ZodType, path: Path): readonly string[] | undefined {
  const key = String(path.at(-1));
  const table = schemaAt(root, path.slice(0, -1));
  const near = nearest(key, ((table && keysOf(table)) ?? []).filter((name) => !PYTHON_NAMES.has(name)));
  return near.length > 0 ? near : [...keyPaths(root)].find((other) => other.at(-1) === key);
}

/** A value that the schema refused; `nameOf` is how the key is called in the sentence. */
export function refusedValue(
  root: z.core.$ZodType,
  issue: z.core.$ZodIssue,
  tree: Table,
  nameOf: (path: Path) => string = dotted,
): Finding {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  const value = valueAt(tree, path);
  const schema = schemaAt(root, path);
  const name = nameOf(path);
  if (value === undefined) {
    return { code: "CONFIG_MISSING_KEY", path, message: `'${name}' is missing.` };
  }
  const expected = schema ? expectation(schema) : "something else";
  const near = schema && typeof value === "string" ? endingWithHint(value, choices(schema)) : ".";
  return {
    code: isWrongType(issue, value) ? "CONFIG_WRONG_TYPE" : "CONFIG_INVALID_VALUE",
    path,
    message: `'${name}' must be ${expected}: ${currently(path, value)}${near}`,
  };
}

/** A number where a number belongs, however impossible, is of the right type. */
function isWrongType(issue: z.core.$ZodIssue, value: unknown): boolean {
  if (issue.code === "invalid_union") return typeof value !== "number";
  if (issue.code !== "invalid_type") return false;
  return !(typeof value === "number" && ["int", "number"].includes(issue.expected));
}

/** A `${VAR}` that has no value. */
export function unresolvedVariable({ path, reason, name }: SubstitutionFailure): Finding {
  const key = dotted(path);
  const because = {
    unset:
      `Environment variable '${name}' is not set but '${key}' needs it: set it, or write \${${name}|default}.`,
    cyclic: `Environment variable '${name}', which '${key}' needs, refers to itself or to too many others.`,
    unnamed: `'${key}' holds a \${} that names no environment variable.`,
  }[reason];
  return { code: "CONFIG_UNRESOLVED_ENV_VAR", path, message: because };
}

/** `domain.toml:12: Unknown key …`, or the sentence alone where no file is involved. */
export function describeProblem({ file, line, message }: ConfigurationProblem): string {
  if (file === undefined) return message;
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}

/** One error for all problems, in the order of their lines. */
export function configurationError(
  problems: readonly ConfigurationProblem[],
  cause?: unknown,
): ConfigurationError {
  const sorted = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const lines = sorted.map(describeProblem);
  const message = lines.length === 1
    ? lines.join("")
    : `The configuration has ${lines.length} problems:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  return new ConfigurationError(
    message,
    cause === undefined ? { problems: sorted } : { problems: sorted, cause },
  );
}

/** The last key of a path that is a name. */
function lastName(path: Path): string {
  return String(path.findLast((part) => typeof part === "string") ?? "");
}
