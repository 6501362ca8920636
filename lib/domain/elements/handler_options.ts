/**
 * What a handler says of itself beside its subscription's settings, judged when it is declared.
 *
 * @module
 */
import { IncorrectUsageError } from "../../errors.ts";
import type { HandlerOptions } from "../types.ts";

const BACKOFFS: readonly unknown[] = ["exponential", "linear", "fixed"] satisfies HandlerOptions["backoff"][];

type Judged = Pick<HandlerOptions, "onDeadLetter" | "retries" | "backoff" | "retryExceptions">;

/** Throws `IncorrectUsageError` for the first that cannot be. */
export function assertHandlerOptions(name: string, options: Judged): void {
  const { onDeadLetter, retries, backoff, retryExceptions } = options;
  assert(name, "onDeadLetter", onDeadLetter, "a function", (value) => typeof value === "function");
  assert(
    name,
    "retries",
    retries,
    "a whole number, 0 or more",
    (value) => Number.isInteger(value) && value >= 0,
  );
  assert(name, "backoff", backoff, `one of ${BACKOFFS.join(", ")}`, (value) => BACKOFFS.includes(value));
  assert(
    name,
    "retryExceptions",
    retryExceptions,
    "a list of names",
    (value) => Array.isArray(value) && value.every((each) => typeof each === "string" && each !== ""),
  );
}

function assert<T>(
  name: string,
  key: string,
  value: T | undefined,
  must: string,
  is: (value: T) => boolean,
): void {
  if (value === undefined || is(value)) return;
  throw new IncorrectUsageError(`The ${key} of ${name} must be ${must}: current value is ${String(value)}.`);
}
