/**
 * Loads the domain of `--domain` (design 5): compiled in, or a module on disk.
 *
 * @module
 */
import { dirname } from "node:path";
import { type DiskModuleOptions, importFromDisk } from "../loading/disk_module.ts";
import { Domain } from "../domain/domain.ts";
import { asError, DomainLoadError } from "../errors.ts";
import type { Cli } from "./cli.ts";
import { placeOf } from "./config_search.ts";
import type { DomainOptions } from "./options.ts";

/** A domain and where it came from. */
export interface FoundDomain {
  readonly domain: Domain;
  /**
   * Absolute folder of its module; undefined for a compiled-in one. Where `domain.toml` is looked for first.
   */
  readonly folder: string | undefined;
}

/**
 * Finds and loads the domain; it is not initialised. Throws `DomainLoadError` when it is missing, unknown,
 * ambiguous or fails while loading; the reason of `how.signal` when that aborts first.
 */
export async function loadDomain(
  cli: Cli,
  options: DomainOptions,
  how: DiskModuleOptions = {},
): Promise<FoundDomain> {
  const place = placeOf(cli, options);
  const load = place.kind === "compiled" ? cli.compiledIn.domains[place.name] : undefined;
  if (load) return { domain: await load(), folder: undefined };
  if (place.kind === "compiled") throw new DomainLoadError(`The domain '${place.name}' is not compiled in.`);
  const exports = await importModule(place.file, how);
  return { domain: pick(exports, place.file, place.exportName), folder: dirname(place.file) };
}

async function importModule(
  file: string,
  options: DiskModuleOptions,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await importFromDisk(file, options);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new DomainLoadError(
      `The domain module '${file}' failed while loading: ${asError(cause).message}.`,
      { cause },
    );
  }
}

function pick(
  exports: Readonly<Record<string, unknown>>,
  file: string,
  exportName: string | undefined,
): Domain {
  const domains = new Map<Domain, string>();
  for (const [name, value] of Object.entries(exports)) {
    if (value instanceof Domain && !domains.has(value)) domains.set(value, name);
  }
  const found = [...domains.values()].map((name) => `'${name}'`).join(", ");
  if (exportName !== undefined) {
    const chosen = exports[exportName];
    if (chosen instanceof Domain) return chosen;
    throw new DomainLoadError(
      `'${file}' exports no Domain called '${exportName}': ${
        found ? `it exports ${found}` : nothing(exports)
      }.`,
    );
  }
  if (exports.domain instanceof Domain) return exports.domain;
  const [only, ...others] = domains.keys();
  if (only && others.length === 0) return only;
  throw new DomainLoadError(
    only
      ? `'${file}' exports ${domains.size} domains, ${found}: pick one with --domain=${file}:NAME, or export it as 'domain'.`
      : `'${file}' exports no Domain: ${
        nothing(exports)
      }. Export one with 'export const domain = new Domain("name")'.`,
  );
}

/** What a module without a Domain does export, and why that may be. */
function nothing(exports: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(exports);
  const lookalike = entries.find(([, value]) => (value as object | null)?.constructor?.name === "Domain");
  if (lookalike) {
    return `'${
      lookalike[0]
    }' is a Domain of another copy of @protean/server; import the library by that name, without a path or version`;
  }
  return entries.length > 0 ? `it exports ${entries.map(([name]) => name).join(", ")}` : "it exports nothing";
}
