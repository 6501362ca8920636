/**
 * One finding about the configuration, the domain or the command: what `init`, the look before the start,
 * `check` and the envelopes of `--json` have in common. Rules are functions that yield these.
 *
 * @module
 */

/** `error`: it cannot work as written. `warning`: it works, and most likely not as meant. */
export type DiagnosticLevel = "error" | "warning" | "info";

/** A finding. */
export interface Diagnostic {
  /** Stable, upper snake case; also the name of the rule. Those of ours are in `error_codes.ts`. */
  readonly code: string;
  /** @default "error" */
  readonly level?: DiagnosticLevel;
  /** One sentence: what is wrong, where, and what to do. */
  readonly message: string;
  /** What to do, where the sentence does not say it. */
  readonly remedy?: string;
  /** The handler, message or workload that it is about. */
  readonly element?: string;
  /** Dotted key, such as `databases.default.pool_size`. */
  readonly key?: string;
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
}

/** File and line of a finding about a value with this origin; nothing for a value that is in no file. */
export function placeOf(
  origin: { readonly file?: string; readonly line?: number | undefined } | undefined,
): Pick<Diagnostic, "file" | "line"> {
  const { file, line } = origin ?? {};
  return { ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
}
