/**
 * What `domain.check` is given, judged where it is given.
 *
 * @module
 */
import { endingWithHint } from "../../config/nearest.ts";
import { shown } from "../../config/secrets.ts";
import { IncorrectUsageError } from "../../errors.ts";
import { unstorable } from "../../message/storable.ts";
import type { CheckDefinition, CheckOptions, CheckRun } from "../check.ts";

/** Checks of one domain, and characters of a name: both are labels of metrics. */
const MOST_CHECKS = 100;
const LONGEST_NAME = 100;
/** The longest wait, a day: who waits longer for a check wants no check. */
const LONGEST_SECONDS = 86_400;

const OPTIONS: readonly string[] = [
  "everySeconds",
  "timeoutMs",
  "gatesReadiness",
] satisfies readonly (keyof CheckOptions)[];

/** Throws `IncorrectUsageError`. */
export function checkOf(
  name: string,
  run: CheckRun,
  options: CheckOptions,
  others: readonly CheckDefinition[],
): CheckDefinition {
  if (
    typeof name !== "string" || name.trim() === "" || name.length > LONGEST_NAME ||
    unstorable(name) !== undefined
  ) {
    throw new IncorrectUsageError(
      `domain.check takes a name of 1 to ${LONGEST_NAME} characters: current value is ${
        shown("name", name)
      }.`,
    );
  }
  if (others.some((other) => other.name === name)) {
    throw new IncorrectUsageError(`A check '${name}' is declared twice: give each a name of its own.`);
  }
  if (others.length >= MOST_CHECKS) {
    throw new IncorrectUsageError(
      `The check ${name} is one too many: a domain has ${MOST_CHECKS} at most, and one may look at several things.`,
    );
  }
  if (typeof run !== "function") {
    throw new IncorrectUsageError(
      `The check ${name} needs a function: one that throws or returns false where something is wrong.`,
    );
  }
  for (const key of Object.keys(options)) {
    if (OPTIONS.includes(key)) continue;
    throw new IncorrectUsageError(
      `The check ${name} has an option '${key}' that checks do not have${endingWithHint(key, OPTIONS)}`,
    );
  }
  const { everySeconds = 60, timeoutMs = 5_000, gatesReadiness = false } = options;
  const limits = { everySeconds: LONGEST_SECONDS, timeoutMs: LONGEST_SECONDS * 1000 };
  for (const [key, value] of Object.entries({ everySeconds, timeoutMs })) {
    const most = limits[key as keyof typeof limits];
    if (typeof value === "number" && value > 0 && value <= most) continue;
    throw new IncorrectUsageError(
      `'${key}' of the check ${name} must be a number above 0 and at most ${most}: current value is ${
        shown(key, value)
      }.`,
    );
  }
  if (typeof gatesReadiness !== "boolean") {
    throw new IncorrectUsageError(`'gatesReadiness' of the check ${name} must be true or false.`);
  }
  return { name, run, everySeconds, timeoutMs, gatesReadiness };
}
