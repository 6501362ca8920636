/**
 * What the command line of `check` says.
 *
 * @module
 */
import type { DiagnosticLevel } from "../diagnostics.ts";
import type { DomainOptions, LogOptions } from "./options.ts";

/** `rich` is what the reference calls `human`. */
export const FORMATS = ["human", "rich", "json", "sarif", "github-annotations"] as const;

export interface CheckFlags extends DomainOptions, LogOptions {
  readonly format: (typeof FORMATS)[number];
  readonly json?: boolean;
  /** The least that is shown. */
  readonly level: DiagnosticLevel;
  readonly quiet?: boolean;
  readonly connect?: boolean;
  readonly workers?: number;
  readonly replicas?: number;
  /** Files; `-` is stdin. */
  readonly manifest: readonly string[];
}
