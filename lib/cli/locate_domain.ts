/**
 * Where the domain of `--domain` is (design 5): its name says, nothing is loaded here.
 *
 * @module
 */
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { nearest } from "../config/nearest.ts";
import { DomainLoadError, systemReason } from "../errors.ts";

/** A domain compiled into the executable, or a module on disk. */
export type DomainPlace =
  | { readonly kind: "compiled"; readonly name: string }
  | { readonly kind: "module"; readonly file: string; readonly exportName: string | undefined };

/** What `locateDomain` looks at. */
export interface DomainQuery {
  /** As given to `--domain`. */
  readonly wanted: string | undefined;
  /** `PROTEAN_DOMAIN`. */
  readonly variable: string | undefined;
  readonly cwd: string;
  /** Names of the compiled-in domains. */
  readonly compiled: readonly string[];
}

/** What a folder may hold, in order. */
const MODULE_FILES = ["domain.ts", "domain.js", "mod.ts", "mod.js"];
const EXTENSIONS = [".ts", ".js"];

/** Throws `DomainLoadError` when there is nothing of that name; it names what comes near. */
export function locateDomain(query: DomainQuery): DomainPlace {
  const wanted = query.wanted || query.variable;
  return wanted ? named(wanted, query) : unnamed(query);
}

function named(wanted: string, { cwd, compiled, variable }: DomainQuery): DomainPlace {
  if (compiled.includes(wanted)) return { kind: "compiled", name: wanted };
  const { path, exportName } = splitExport(wanted);
  const file = moduleAt(resolve(cwd, path));
  if (file) return { kind: "module", file, exportName };
  const source = wanted === variable ? "PROTEAN_DOMAIN" : "--domain";
  throw new DomainLoadError(
    `There is no domain '${wanted}' (${source}): it is neither compiled in nor a file or folder.${
      hint(path, cwd, compiled)
    }`,
  );
}

function unnamed({ cwd, compiled }: DomainQuery): DomainPlace {
  const file = moduleIn(cwd);
  if (file) return { kind: "module", file, exportName: undefined };
  const choice = compiled.length > 0 ? ` Compiled in: ${compiled.join(", ")}.` : "";
  throw new DomainLoadError(
    `No domain was named, and the current folder holds none of ${
      MODULE_FILES.join(", ")
    }: use --domain=NAME or PROTEAN_DOMAIN.${choice}`,
  );
}

/** `./shop.ts:orders` → path and export; a colon that begins a path (`C:\shop.ts`) belongs to the path. */
function splitExport(wanted: string): { path: string; exportName: string | undefined } {
  const [, path, exportName] = /^(.+):([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u.exec(wanted) ?? [];
  return path && exportName ? { path, exportName } : { path: wanted, exportName: undefined };
}

/** The module that a path means: a file, a folder that holds one, or either without its extension. */
function moduleAt(path: string): string | undefined {
  const found = kindOf(path);
  if (found === "file") return path;
  if (found === "folder") {
    const file = moduleIn(path);
    if (file) return file;
  }
  const file = EXTENSIONS.map((extension) => path + extension).find((name) => kindOf(name) === "file");
  if (file || found === undefined) return file;
  throw new DomainLoadError(
    `The folder '${path}' holds no domain module: it needs one of ${MODULE_FILES.join(", ")}.`,
  );
}

function moduleIn(folder: string): string | undefined {
  return MODULE_FILES.map((name) => join(folder, name)).find((file) => kindOf(file) === "file");
}

function kindOf(path: string): "file" | "folder" | undefined {
  let found: Deno.FileInfo;
  try {
    found = Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new DomainLoadError(`The domain at '${path}' cannot be read: ${systemReason(error)}.`, {
      cause: error,
    });
  }
  if (found.isFile) return "file";
  if (found.isDirectory) return "folder";
  throw new DomainLoadError(`The domain at '${path}' is neither a file nor a folder.`);
}

/** ` Did you mean 'my_domain' or './my_domain.ts'?`, or what there is. */
function hint(path: string, cwd: string, compiled: readonly string[]): string {
  const folder = dirname(path);
  const near = [
    ...nearest(path, compiled, 2),
    ...nearest(basename(path), siblings(resolve(cwd, folder)), 2)
      .map((name) => (isAbsolute(path) ? join(folder, name) : `./${join(folder, name)}`)),
  ];
  if (near.length > 0) return ` Did you mean ${near.map((name) => `'${name}'`).join(" or ")}?`;
  return compiled.length > 0 ? ` Compiled in: ${compiled.join(", ")}.` : "";
}

/** Modules and folders in a folder that may be meant. */
function siblings(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)]
      .filter(({ name, isDirectory }) =>
        isDirectory || EXTENSIONS.some((extension) => name.endsWith(extension))
      )
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
