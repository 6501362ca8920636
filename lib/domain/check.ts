/**
 * Checks of a team's own: `domain.check`.
 *
 * @module
 */

/** What `domain.check` takes beside name and function. */
export interface CheckOptions {
  /** Seconds from the end of one run to the next. @default 60 */
  everySeconds?: number;
  /** Milliseconds after which a run fails; its signal aborts then. @default 5000 */
  timeoutMs?: number;
  /** Whether `/readyz` answers 503 until it has passed and while it fails. @default false */
  gatesReadiness?: boolean;
}

/** Throws, rejects or returns (or resolves to) `false` where something is wrong. */
export type CheckRun = (options: { readonly signal: AbortSignal }) => unknown;

/** A check as declared. */
export interface CheckDefinition extends Required<Readonly<CheckOptions>> {
  readonly name: string;
  readonly run: CheckRun;
}

/** How a check went last, in this process. `pending`: it has not run yet. */
export interface CheckState {
  readonly name: string;
  readonly status: "pending" | "ok" | "failed";
  /** Why it failed. */
  readonly error?: string;
  readonly gatesReadiness: boolean;
}
