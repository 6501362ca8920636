/**
 * What a handler has decided about its message by what it threw: `DeadLetter`, `Discard`, `RetryAfter`.
 *
 * @module
 */
import { asError, errorsOf, LONGEST_RETRY_AFTER_MS } from "../errors.ts";

/** User code may wrap an error, and a chain of causes may end in itself. */
const DEEPEST_CAUSE = 8;
/** Of a reason, in UTF-16 units: it is a label. */
const LONGEST_REASON = 200;

export type Decision =
  | { readonly kind: "dead_letter" | "discard"; readonly reason: string }
  | { readonly kind: "retry_after"; readonly reason: string; readonly ms: number };

/**
 * The decision in what was thrown, also as a cause, also by another copy of this library (it goes by the
 * code). Of several methods: undefined as soon as one has failed without a decision, for its work is still to
 * be done; else the one that keeps most of the message, `RetryAfter` before `DeadLetter` before `Discard`.
 * Never throws.
 */
export function decisionOf(thrown: unknown): Decision | undefined {
  try {
    return find(thrown, 0);
  } catch {
    // A Proxy may throw when it is asked what it is, a getter when it is read.
    return undefined;
  }
}

/**
 * What is left of a failure of several methods without those that have decided: what the failure is judged
 * by. Never throws.
 */
export function undecided(error: Error): Error {
  try {
    if (!(error instanceof AggregateError)) return error;
    const several = errorsOf(error);
    const rest = several.filter((one) => !decisionOf(one));
    return rest.length === several.length ? error : new AggregateError(rest, error.message);
  } catch {
    return error;
  }
}

function find(thrown: unknown, depth: number): Decision | undefined {
  if (depth > DEEPEST_CAUSE || !(thrown instanceof Error)) return undefined;
  const own = read(thrown);
  if (own) return own;
  if (thrown instanceof AggregateError) return joined(errorsOf(thrown).map((one) => find(one, depth + 1)));
  return find(thrown.cause, depth + 1);
}

function read(error: Error): Decision | undefined {
  const code: unknown = "code" in error ? error.code : undefined;
  const reason = asError(error).message.slice(0, LONGEST_REASON);
  if (code === "DEAD_LETTER") return { kind: "dead_letter", reason };
  if (code === "DISCARD") return { kind: "discard", reason };
  const ms: unknown = code === "RETRY_AFTER" && "ms" in error ? error.ms : undefined;
  if (typeof ms !== "number" || Number.isNaN(ms)) return undefined;
  return { kind: "retry_after", reason, ms: Math.min(Math.max(0, ms), LONGEST_RETRY_AFTER_MS) };
}

function joined(each: readonly (Decision | undefined)[]): Decision | undefined {
  const decisions = each.filter((decision) => decision !== undefined);
  if (decisions.length < each.length) return undefined;
  const waits = decisions.filter((decision) => decision.kind === "retry_after");
  // The longest, so that none is asked before its time.
  if (waits.length > 0) return waits.reduce((a, b) => b.ms > a.ms ? b : a);
  return decisions.find(({ kind }) => kind === "dead_letter") ?? decisions[0];
}
