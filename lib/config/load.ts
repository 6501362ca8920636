/**
 * Finds, reads and checks `domain.toml` (design 6).
 *
 * @module
 */
import type { ConfigurationProblem } from "../errors.ts";
import { ConfigurationError } from "../errors.ts";
import type { Config } from "./schema.ts";

/** Where a value that the user set was written. A key that has no origin holds its default. */
export interface Origin {
  /** `code`: passed to `domain.init`. `overlay`: a `[<env>.*]` table. */
  readonly kind: "file" | "overlay" | "code";
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Name of the environment, for an overlay. */
  readonly env?: string;
  /** Environment variables that were substituted into the value. */
  readonly variables?: readonly string[];
}

/** A configuration that is complete and consistent. */
export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read; undefined: the embedded one, an object, or none. */
  readonly path: string | undefined;
  /** Absolute folder that relative paths in the configuration are relative to. */
  readonly folder: string;
  /** Absolute folder of the embedded databases: `PROTEAN_DATA_DIR`, else beside domain.toml, else the current folder. */
  readonly dataFolder: string;
  /** Values that the user set, by dotted key. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly warnings: readonly ConfigurationProblem[];
}

export interface LoadOptions {
  /** The domain's name. */
  readonly domain: string;
  /** Path of a file, or the configuration itself (then nothing is substituted, as upstream). */
  readonly config?: string | Record<string, unknown>;
  /** Name of the overlay. Defaults to `PROTEAN_ENV`. */
  readonly env?: string;
  /** Environment variables. Defaults to the process's own. */
  readonly variables?: (name: string) => string | undefined;
  /** Folder of the domain module; undefined for a compiled-in domain. */
  readonly moduleFolder?: string;
  /** Folder of the executable, for a compiled-in domain. */
  readonly executableFolder?: string;
  /** Defaults to the current folder. */
  readonly cwd?: string;
  /** Used when no file is found. */
  readonly embedded?: { readonly text: string; readonly file: string };
}

/** Loads the configuration. Throws one `ConfigurationError` that lists every problem. */
export function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  return Promise.reject(
    new ConfigurationError(`The configuration of '${options.domain}' is not loaded yet.`),
  );
}
