/**
 * A domain for the time of one command: found, configured, initialised, closed.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { loadConfig } from "../config/load.ts";
import type { Domain } from "../domain/domain.ts";
import { type DomainRuntime, runtimeOf } from "../domain/runtime.ts";
import type { StartOptions } from "../domain/startup.ts";
import { type LoggingSettings, startLogging } from "../telemetry/logging.ts";
import type { Cli } from "./cli.ts";
import { configSearch } from "./config_search.ts";
import { loadDomain } from "./load_domain.ts";
import type { DomainOptions, LogOptions } from "./options.ts";

const logger = getLogger(["protean", "cli"]);

/** Runs `work` with the domain of `--domain`, initialised; the domain is closed in any case. */
export async function withDomain(
  cli: Cli,
  options: DomainOptions & LogOptions,
  work: (runtime: DomainRuntime, domain: Domain) => Promise<void>,
): Promise<void> {
  // Whoever sends or repairs something wants to hear of trouble only; the log belongs to the server.
  const domain = await openDomain(cli, options, "warning");
  try {
    await work(runtimeOf(domain), domain);
  } finally {
    await domain.close();
  }
}

/** Starts the log, loads the domain and initialises it with the configuration that belongs to it. */
export async function openDomain(
  cli: Cli,
  options: DomainOptions & LogOptions,
  fallbackLevel: "info" | "warning",
): Promise<Domain> {
  const log = (settings?: LoggingSettings) =>
    startLogging({
      write: (text) => cli.io.err(text),
      isTerminal: cli.io.errIsTerminal,
      env: (name) => cli.io.env(name),
      fallbackLevel,
      ...(options.logLevel !== undefined && { level: options.logLevel }),
      ...(options.logFormat !== undefined && { format: options.logFormat }),
      ...(settings && { settings }),
    });
  log();
  const { domain, folder } = await loadDomain(cli, options);
  const loaded = await loadConfig({ domain: domain.name, ...await configSearch(cli, folder, options) });
  log(loaded.config.logging);
  for (const { code, message } of loaded.warnings) logger.warning("config.warning", { code, message });
  const start: StartOptions = { loaded };
  await domain.init(start);
  return domain;
}
