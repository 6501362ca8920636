/**
 * Where the configuration of a domain is looked for (design 6).
 *
 * @module
 */
import { dirname } from "node:path";
import { loadConfig, type LoadedConfig, type LoadOptions } from "../config/load.ts";
import type { Cli } from "./cli.ts";
import { type DomainPlace, locateDomain } from "./locate_domain.ts";
import type { DomainOptions } from "./options.ts";
import { executableFolder } from "../executable/standalone.ts";

/**
 * What `loadConfig` needs besides the domain's name, for a module in `folder` or a compiled-in domain
 * (undefined).
 */
export async function configSearch(
  cli: Cli,
  folder: string | undefined,
  options: DomainOptions,
): Promise<Omit<LoadOptions, "domain">> {
  const common = {
    variables: (name: string) => cli.io.env(name),
    cwd: cli.io.cwd(),
    ...(options.config !== undefined && { config: options.config }),
  };
  if (folder !== undefined) return { ...common, moduleFolder: folder };
  const executable = executableFolder();
  const text = await cli.compiledIn.config();
  return {
    ...common,
    ...(executable !== undefined && { executableFolder: executable }),
    ...(text !== undefined && { embedded: { text, file: "the embedded domain.toml" } }),
  };
}

/**
 * The configuration that a server started with these options uses, without loading its domain: for
 * `healthcheck`, which may be run where nobody names the domain.
 */
export async function readConfig(cli: Cli, options: DomainOptions): Promise<LoadedConfig> {
  const named = options.domain ?? cli.io.env("PROTEAN_DOMAIN");
  const place = named ? placeOf(cli, options) : undefined;
  const folder = place?.kind === "module" ? dirname(place.file) : undefined;
  const domain = place?.kind === "compiled" ? place.name : "domain";
  return await loadConfig({ domain, ...await configSearch(cli, folder, options) });
}

/** Where the domain of `--domain` is. Throws `DomainLoadError`. */
export function placeOf(cli: Cli, { domain }: DomainOptions): DomainPlace {
  return locateDomain({
    wanted: domain,
    variable: cli.io.env("PROTEAN_DOMAIN"),
    cwd: cli.io.cwd(),
    compiled: Object.keys(cli.compiledIn.domains),
  });
}
