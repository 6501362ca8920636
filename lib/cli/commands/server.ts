/**
 * `server`, the verb when there is none: runs the domain until it is told to stop (design 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { Command, InvalidArgumentError } from "commander";
import { listenForStopSignals } from "../../engine/signals.ts";
import { ConfigurationError, UnavailableError } from "../../errors.ts";
import { beginLog } from "../begin_log.ts";
import { catchStrayErrors } from "../stray_errors.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import { addDomainOption, addLogOptions, type DomainOptions, type LogOptions } from "../options.ts";

const log = getLogger(["protean", "cli"]);

interface Options extends DomainOptions, LogOptions {
  readonly once?: boolean;
  readonly requireDependencies?: boolean;
}

export function serverCommand(cli: Cli): Command {
  const command = new Command("server")
    .description(
      "Run the domain: subscriptions, outbox, health probes; stops gracefully on SIGTERM, SIGINT and SIGHUP. The default.",
    )
    .option("--workers <n>", "processes to run; this version runs one", workers, 1)
    .option("--once", "work off everything available, then exit")
    .option(
      "--require-dependencies",
      "exit instead of waiting when a dependency or the health port is not there",
    );
  return withExamples(addLogOptions(addDomainOption(command)), [
    ["--domain=my_domain", "run the bundled domain"],
    ["server --domain=./shop/domain.ts --config shop.toml", "run a domain from disk"],
    ["server --domain=my_domain --once", "work off what is there, then exit"],
  ]).action((options: Options) => serve(cli, options));
}

async function serve(cli: Cli, options: Options): Promise<void> {
  const signals = listenForStopSignals();
  try {
    beginLog(cli, options, "info");
    cli.io.detach?.((lines, bytes) => log.warn("log.lines_dropped", { lines, bytes }));
    const { openDomain } = await import("../open_domain.ts");
    const domain = await openDomain(cli, options, "info", signals.drain, { telemetry: true });
    const { Engine } = await import("../../engine/engine.ts");
    const engine = new Engine(domain, {
      once: options.once ?? false,
      requireDependencies: options.requireDependencies ?? false,
    });
    using _strays = catchStrayErrors((error) => engine.fail(error));
    cli.exitCode = await engine.run({ signal: signals.drain, cut: signals.cut });
  } catch (error) {
    // Told to stop before it had begun: there is nothing to drain and nothing wrong.
    if (signals.drain.aborted && error === signals.drain.reason) return;
    // The run rejects only where it could not begin: then the environment is not what it was told to require.
    if (!(error instanceof UnavailableError)) throw error;
    throw new ConfigurationError(error.message, { code: error.code, cause: error });
  } finally {
    signals.dispose();
  }
}

function workers(value: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError("--workers must be >= 1.");
  if (number > 1) {
    throw new InvalidArgumentError(
      "This version runs one worker a process: start as many processes as you need.",
    );
  }
  return number;
}
