/**
 * A domain for the time of one command.
 *
 * @module
 */
import type { Domain } from "../domain/domain.ts";
import { type DomainRuntime, runtimeOf } from "../domain/runtime.ts";
import { beginLog } from "./begin_log.ts";
import type { Cli } from "./cli.ts";
import type { DomainOptions, LogOptions } from "./options.ts";

/**
 * Runs `work` with the domain of `--domain`, initialised; the domain is closed in any case. Without `migrate`
 * the tables of embedded adapters are left as they are, and may be missing.
 */
export async function withDomain(
  cli: Cli,
  options: DomainOptions & LogOptions,
  work: (runtime: DomainRuntime, domain: Domain) => Promise<void>,
  how: { readonly migrate?: boolean } = {},
): Promise<void> {
  // Whoever sends or repairs something wants to hear of trouble only; the log belongs to the server.
  beginLog(cli, options, "warning");
  const { openDomain } = await import("./open_domain.ts");
  const domain = await openDomain(cli, options, "warning", undefined, how);
  try {
    await work(runtimeOf(domain), domain);
  } finally {
    await domain.close();
  }
}
