/**
 * The one shape of everything that `--json` prints (wire 8.4).
 *
 * @module
 */
import { visibleJson } from "../config/visible.ts";
import type { Diagnostic } from "../diagnostics.ts";

/** Version of the envelope itself, as upstream counts it. */
const ENVELOPE_VERSION = "0.1.0";

export type EnvelopeStatus = "pass" | "warn" | "fail" | "error";

/** The text of an envelope, indented, with its last line ended. Every diagnostic says its level. */
export function envelope(
  status: EnvelopeStatus,
  data: unknown,
  diagnostics: readonly Diagnostic[] = [],
): string {
  const levelled = diagnostics.map((diagnostic): Diagnostic => ({ level: "error", ...diagnostic }));
  return visibleJson(
    JSON.stringify({ version: ENVELOPE_VERSION, status, data, diagnostics: levelled }, null, 2),
  ) + "\n";
}
