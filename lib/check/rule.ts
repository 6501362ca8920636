/**
 * What a rule of `check` is: one file in `rules/` each, all in `catalogue.ts`, from which
 * `docs/reference/check.md` is made.
 *
 * @module
 */
import type { Diagnostic, DiagnosticLevel } from "../diagnostics.ts";
import type { ErrorCode } from "../error_codes.ts";
import type { Workload } from "./manifest/workload.ts";
import type { DomainSubject, SeenServer, Subject } from "./subject.ts";

/** What a rule is about; the reference is in these parts. */
export type Category = "pools" | "servers" | "configuration" | "domain" | "deployment";

/** What is known of a rule without running it. */
export interface RuleText {
  /** Stable; also its name in `[lint] suppressions`. */
  readonly code: ErrorCode;
  readonly level: DiagnosticLevel;
  readonly category: Category;
  /** When it fires, as the end of "Fires when …". */
  readonly fires: string;
  /** Why that is no good. */
  readonly rationale: string;
  /** What to do. */
  readonly remedy: string;
  /** The line of domain.toml or of a manifest, or the command, that mends it. */
  readonly mend: string;
}

/** A violation; what it leaves out is its rule's. */
export type Found = Omit<Diagnostic, "code"> & { readonly code?: string };

type Founds = Iterable<Found>;

/**
 * When a rule is asked. `loading`: where the configuration is read and the elements are judged, which ends a
 * start; the rooms that read them find it. `start`: by `check` and at every start of the server, whose log
 * tells it. `asking`: by whoever asks the servers, with `--connect`. `domain`: by `check`. `server`: with `--connect`, and at the start once the server has answered.
 * `manifest`: with `--manifest`.
 */
export type Rule =
  | RuleText & { readonly stage: "loading" }
  | RuleText & { readonly stage: "asking" }
  | RuleText & { readonly stage: "start"; readonly find: (subject: Subject) => Founds }
  | RuleText & {
    readonly stage: "domain";
    readonly find: (subject: DomainSubject) => Founds | Promise<Founds>;
  }
  | RuleText & {
    readonly stage: "server";
    readonly find: (server: SeenServer, subject: Subject) => Founds;
  }
  | RuleText & {
    readonly stage: "manifest";
    readonly find: (workload: Workload, subject: DomainSubject) => Founds;
  };

/** A rule of one stage. */
export type RuleOf<S extends Rule["stage"]> = Extract<Rule, { readonly stage: S }>;
