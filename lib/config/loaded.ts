/**
 * What loading a configuration results in.
 *
 * @module
 */
import type { ConfigurationProblem } from "../errors.ts";
import type { Config } from "./schema.ts";
import type { Path, Table } from "./tree.ts";

/** Where a value that the user set was written. A key that has no origin holds its default (CFG-5). */
export interface Origin {
  /** `code`: passed to `domain.init`. `overlay`: a `[<env>.*]` table. */
  readonly kind: "file" | "overlay" | "code";
  readonly path: Path;
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number | undefined;
  /** Name of the environment, for an overlay. */
  readonly env?: string;
  /** Environment variables that were substituted into the value. */
  readonly variables?: readonly string[];
}

/** A configuration that is complete and consistent. */
export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path of the file that was read; undefined: the embedded one, an object, or none. */
  readonly path: string | undefined;
  /** Absolute folder that relative paths in the configuration are relative to. */
  readonly folder: string;
  /**
   * Absolute folder of the embedded databases: `PROTEAN_DATA_DIR`, else beside domain.toml, else the current
   * folder.
   */
  readonly dataFolder: string;
  /** Values that the user set, by dotted key; a list is one value. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly warnings: readonly ConfigurationProblem[];
  /** The environment, `PROTEAN_ENV`; undefined: none was named. */
  readonly env?: string | undefined;
  /** What the user set, before anything was substituted: the base with its overlay on top. */
  readonly written?: Table;
}
