/**
 * One configuration text or object, taken apart into its base and its overlays, and where everything in it
 * stands.
 *
 * @module
 */
import type { ConfigurationProblem } from "../errors.ts";
import type { Origin } from "./loaded.ts";
import type { Lines } from "./locate.ts";
import { nearest } from "./nearest.ts";
import { type Finding, unknownKey } from "./problems.ts";
import { configSchema, TOP_LEVEL_KEYS } from "./schema.ts";
import { clean, dotted, isTable, leaves, merge, type Path, type Table, tableAt, valueAt } from "./tree.ts";
import { unknownKeys } from "./walk.ts";

/** What was read, before it is taken apart. */
export interface Input {
  readonly tree: Table;
  /** As it is shown; absent for an object given in code. */
  readonly file?: string;
  /** Finds the lines; called when the first of them has to be told. */
  readonly locate?: () => Lines;
}

/** A configuration as written. */
export class Source {
  readonly findings: Finding[] = [];
  /** Names of the environments that have an overlay. */
  readonly environments: readonly string[];
  readonly #base: Table;
  readonly #overlay: Table;
  #located: Lines | undefined;

  /** `env` is the environment whose overlay applies; undefined: none. */
  constructor(readonly input: Input, readonly env: string | undefined) {
    const tree = clean(input.tree, (path) => this.#refuse(path));
    const overlays = Object.entries(tree).filter(([key, value]) => isOverlay(key, value, env));
    this.environments = overlays.map(([key]) => key);
    this.#base = Object.fromEntries(Object.entries(tree).filter(([key]) => !this.environments.includes(key)));
    this.#overlay = env === undefined || !this.environments.includes(env) ? {} : tableAt(tree, [env]);
    this.#findUnknownKeys(this.#base, []);
    for (const [name, overlay] of overlays) this.#findUnknownKeys(overlay as Table, [name]);
  }

  /** The base with the overlay of the environment on top. */
  get merged(): Table {
    return merge(this.#base, this.#overlay);
  }

  /** Where each value that is set was written, by dotted key. */
  origins(variables: (path: Path) => readonly string[]): Map<string, Origin> {
    const origins = new Map<string, Origin>();
    for (const { path } of leaves(this.merged)) {
      const names = variables(path);
      const origin = {
        kind: this.input.file === undefined ? "code" : this.#overlays(path) ? "overlay" : "file",
        path,
        ...(this.env !== undefined && this.#overlays(path) ? { env: this.env } : {}),
        ...(names.length > 0 ? { variables: names } : {}),
      } as const;
      const { file } = this.input;
      const lineOf = () => this.#nearestLine(path);
      origins.set(
        dotted(path),
        file === undefined ? origin : {
          ...origin,
          file,
          get line() {
            return lineOf();
          },
        },
      );
    }
    return origins;
  }

  /** A finding with its key, file and line. */
  located({ code, path, message }: Finding): ConfigurationProblem {
    return { code, message, key: dotted(path), ...this.place(path) };
  }

  /** File and line of a key, or of the nearest table around it. */
  place(path: Path): { readonly file?: string; readonly line?: number } {
    const { file } = this.input;
    if (file === undefined) return {};
    const line = this.#nearestLine(path);
    return line === undefined ? { file } : { file, line };
  }

  #nearestLine(path: Path): number | undefined {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lineOf(path.slice(0, length));
      if (line !== undefined) return line;
    }
    return undefined;
  }

  #lineOf(path: Path): number | undefined {
    const lines = this.#located ??= this.input.locate?.();
    const above = this.env !== undefined && this.#overlays(path)
      ? lines?.get(dotted([this.env, ...path]))
      : undefined;
    return above ?? lines?.get(dotted(path));
  }

  #overlays(path: Path): boolean {
    return valueAt(this.#overlay, path) !== undefined;
  }

  #findUnknownKeys(tree: Table, overlay: Path): void {
    for (const path of unknownKeys(configSchema, tree)) {
      this.findings.push(unknownKey(configSchema, path, valueAt(tree, path), overlay));
    }
  }

  #refuse(path: Path): void {
    this.findings.push({
      code: "CONFIG_UNKNOWN_KEY",
      path,
      message: `Unknown key '${
        dotted(path)
      }': keys may not have this name, and a table may not contain itself.`,
    });
  }
}

/**
 * An unknown top-level table is an overlay if it is the environment's, or if all its keys are known top-level
 * keys. One whose keys are known in part is an overlay with mistakes in it, which are then named one by one,
 * unless it rather is a section with a mistake in its name.
 */
function isOverlay(key: string, value: unknown, env: string | undefined): boolean {
  if (TOP_LEVEL_KEYS.includes(key) || !isTable(value)) return false;
  const keys = Object.keys(value);
  const known = keys.filter((inner) => TOP_LEVEL_KEYS.includes(inner)).length;
  if (key === env || known === keys.length) return true;
  return known > 0 && nearest(key, TOP_LEVEL_KEYS).length === 0;
}
