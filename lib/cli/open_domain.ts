/**
 * The domain of a command: found, configured, initialised. Everything heavy hangs on this module, so commands
 * import it when they run and not before.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { loadConfig } from "../config/load.ts";
import type { Domain } from "../domain/domain.ts";
import type { StartOptions } from "../domain/startup.ts";
import { COMMIT, VERSION } from "../executable/version.ts";
import { beginLog, type FallbackLevel } from "./begin_log.ts";
import type { Cli } from "./cli.ts";
import { configSearch } from "./config_search.ts";
import { loadDomain } from "./load_domain.ts";
import type { DomainOptions, LogOptions } from "./options.ts";

const log = getLogger(["protean", "cli"]);

/**
 * Loads the domain and initialises it with the configuration that belongs to it; the log follows its
 * `[logging]` from then on, and where `telemetry` is given its `[telemetry]` is obeyed. Rejects with the reason of `signal` when that aborts first. Without `migrate` the
 * tables are left as they are.
 */
export async function openDomain(
  cli: Cli,
  options: DomainOptions & LogOptions,
  fallbackLevel: FallbackLevel,
  signal?: AbortSignal,
  { migrate = true, telemetry = false }: { readonly migrate?: boolean; readonly telemetry?: boolean } = {},
): Promise<Domain> {
  const { domain, folder } = await loadDomain(cli, options, { ...(signal && { signal }) });
  const loaded = await loadConfig({ domain: domain.name, ...await configSearch(cli, folder, options) });
  beginLog(cli, options, fallbackLevel, loaded.config.logging);
  // The first thing to know about a server that is looked at by night is which one it is.
  log.info("domain.starting", {
    domain: domain.name,
    config: loaded.path ?? "the embedded default",
    version: VERSION,
    commit: COMMIT,
    deno: Deno.version.deno,
    pid: Deno.pid,
  });
  for (const { code, message } of loaded.warnings) log.warn("config.warning", { code, message });
  const start: StartOptions = { loaded, migrate, telemetry, ...(signal && { signal }) };
  await domain.init(start);
  return domain;
}
