/**
 * The one shape of everything that `--json` prints (wire 8.4).
 *
 * @module
 */

/** Version of the envelope itself, as upstream counts it. */
const ENVELOPE_VERSION = "0.1.0";

export type EnvelopeStatus = "pass" | "warn" | "fail" | "error";

/** A finding about the configuration, the domain or the command. */
export interface Diagnostic {
  /** Stable, upper snake case. */
  readonly code: string;
  readonly level: "error" | "warning" | "info";
  readonly message: string;
  /** Dotted configuration key. */
  readonly key?: string;
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
}

/** The text of an envelope, indented, with its last line ended. */
export function envelope(
  status: EnvelopeStatus,
  data: unknown,
  diagnostics: readonly Diagnostic[] = [],
): string {
  return JSON.stringify({ version: ENVELOPE_VERSION, status, data, diagnostics }, null, 2) + "\n";
}
