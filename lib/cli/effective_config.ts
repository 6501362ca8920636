/**
 * What `config print` shows: the configuration in effect, and why (CFG-4).
 *
 * @module
 */
import { dirname } from "node:path";
import { loadConfig, type LoadedConfig, type Origin } from "../config/load.ts";
import { maskValue } from "../config/secrets.ts";
import { renderToml } from "../config/render.ts";
import { dotted, merge, type Path, type Table } from "../config/tree.ts";
import { DomainLoadError } from "../errors.ts";
import { governedByProfile } from "../subscription/settings/precedence.ts";
import type { Cli } from "./cli.ts";
import { configSearch, placeOf } from "./config_search.ts";
import { envelope } from "./envelope.ts";
import type { DomainPlace } from "./locate_domain.ts";
import type { DomainOptions } from "./options.ts";

/**
 * The configuration in effect: TOML, with `origin` a comment behind each value, or with `json` the house
 * envelope. Secrets are masked. Where `default_subscription_profile` stands in for a default of `[server]`,
 * its value is shown.
 */
export function renderConfig(
  loaded: LoadedConfig,
  { origin = false, json = false }: { origin?: boolean; json?: boolean } = {},
): string {
  const governed = governedByProfile(loaded);
  const effective = governed.reduce(
    (tree, { path, value }) => merge(tree, tableOf(path, value)),
    loaded.config as Table,
  );
  const masked = maskValue("", effective) as Table;
  const profile = `profile ${loaded.config.server.default_subscription_profile}`;
  const byProfile = new Set(governed.map(({ path }) => dotted(path)));
  const comment = (path: Path) => {
    const key = dotted(path);
    return byProfile.has(key) ? profile : describeOrigin(loaded.origins.get(key));
  };
  if (json) {
    const origins = Object.fromEntries(
      [...loaded.origins].map(([key, value]) => [key, describeOrigin(value)]),
    );
    const fromProfile = Object.fromEntries([...byProfile].map((key) => [key, profile]));
    const { path: file, dataFolder } = loaded;
    return envelope("pass", {
      file: file ?? null,
      dataFolder,
      config: masked,
      origins: { ...origins, ...fromProfile },
    });
  }
  return renderToml(masked, origin ? comment : undefined);
}

/** `from domain.toml:12`, `environment overlay production (domain.toml:40)`, `default`, … */
function describeOrigin(origin: Origin | undefined): string {
  if (!origin) return "default";
  const { kind, file, line, env, variables = [] } = origin;
  const place = line === undefined ? file : `${file}:${line}`;
  const through = variables.length === 0 ? "" : `, with ${variables.map((name) => `\${${name}}`).join(" ")}`;
  if (kind === "code") return "code";
  return kind === "overlay" ? `environment overlay ${env} (${place})${through}` : `from ${place}${through}`;
}

/** A tree with a single value in it. */
function tableOf(path: Path, value: unknown): Table {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Table;
}

/**
 * The configuration that the server would use. Where no domain is named and the current folder holds none,
 * that of the first compiled-in domain: the file is what is asked about.
 *
 * A module on disk is not run for that, whoever may have put it there (L2); so its domain has no name here,
 * and what is named after it is called `domain`. `unnamed` is true where that shows.
 */
export async function loadEffective(
  cli: Cli,
  options: DomainOptions,
): Promise<{ readonly loaded: LoadedConfig; readonly unnamed: boolean }> {
  const place = effectivePlace(cli, options);
  const compiledIn = place.kind === "compiled" ? cli.compiledIn.domains[place.name] : undefined;
  const domain = compiledIn ? (await compiledIn()).name : UNNAMED;
  const folder = place.kind === "module" ? dirname(place.file) : undefined;
  const loaded = await loadConfig({ domain, ...await configSearch(cli, folder, options) });
  const { databases, brokers, caches, event_store } = loaded.config;
  const unnamed = !compiledIn &&
    JSON.stringify([databases, brokers, caches, event_store]).includes(`"sqlite:///${UNNAMED}`);
  return { loaded, unnamed };
}

const UNNAMED = "domain";

function effectivePlace(cli: Cli, options: DomainOptions): DomainPlace {
  const [first] = Object.keys(cli.compiledIn.domains);
  const named = options.domain ?? cli.io.env("PROTEAN_DOMAIN");
  try {
    return placeOf(cli, options);
  } catch (error) {
    if (!(error instanceof DomainLoadError) || named || first === undefined) throw error;
    return { kind: "compiled", name: first };
  }
}
