/**
 * `server`, the verb when there is none: runs the domain until it is told to stop (design 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { Command } from "commander";
import { firstOf } from "../../async/abort.ts";
import { systemClock } from "../../async/clock.ts";
import type { EngineOptions } from "../../engine/engine.ts";
import {
  leaveSignalsToSupervisor,
  listenForStopSignals,
  onReloadSignal,
  type ReloadRequests,
} from "../../engine/signals.ts";
import { ConfigurationError, UnavailableError } from "../../errors.ts";
import { beginLog } from "../begin_log.ts";
import { EXIT_USAGE, isUsage, problemsOf } from "../report.ts";
import { catchStrayErrors } from "../stray_errors.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import { addDomainOption, addLogOptions, type DomainOptions, type LogOptions } from "../options.ts";
import { addWorkerOptions, type SupervisorFlags, type WorkerPlace } from "../worker_options.ts";

const log = getLogger(["protean", "cli"]);

interface Options extends DomainOptions, LogOptions, SupervisorFlags {
  readonly asWorker?: WorkerPlace;
}

/** How this process is told to stop, and what of its engine is not as by default. */
interface Surroundings {
  readonly drain: AbortSignal;
  readonly cut: AbortSignal;
  readonly engine?: Pick<EngineOptions, "listener">;
}

export function serverCommand(cli: Cli): Command {
  const command = addWorkerOptions(
    new Command("server")
      .description(
        "Run the domain: subscriptions, outbox, health probes; stops gracefully on SIGTERM, SIGINT and SIGHUP. The default.",
      ),
  )
    .option("--once", "work off everything available, then exit")
    .option(
      "--require-dependencies",
      "exit instead of waiting when a dependency or the health port is not there",
    );
  return withExamples(addLogOptions(addDomainOption(command)), [
    ["--domain=my_domain", "run the bundled domain"],
    ["server --domain=my_domain --workers 4", "four processes, one port for the probes"],
    ["server --domain=./shop/domain.ts --config shop.toml", "run a domain from disk"],
    ["server --domain=my_domain --once", "work off what is there, then exit"],
  ]).action((options: Options) => start(cli, command, options));
}

async function start(cli: Cli, command: Command, options: Options): Promise<void> {
  if (options.asWorker) return await work(cli, options, options.asWorker);
  const signals = listenForStopSignals();
  try {
    const { workers } = options;
    const reload: ReloadRequests = {
      asked: () => {
        if (workers === 1) log.warn("engine.reload_refused", { reason: "no supervisor" });
      },
    };
    // From the first moment: the signal ends a process that does not listen.
    using _reload = onReloadSignal(() => reload.asked());
    if (workers > 1) return await superviseAll(cli, command, options, { ...signals, reload });
    const [{ healthThread }, { tellingSystemd }] = await Promise.all([
      import("../../health/thread.ts"),
      import("../sd_notify.ts"),
    ]);
    using thread = healthThread();
    const { drain, cut } = signals;
    const listener = tellingSystemd(thread.listener, { env: (name) => cli.io.env(name), drain });
    await serve(cli, options, { drain, cut, engine: { listener } });
  } finally {
    signals.dispose();
  }
}

async function superviseAll(
  cli: Cli,
  command: Command,
  options: Options,
  signals: Surroundings & { readonly reload: ReloadRequests },
): Promise<void> {
  beginLog(cli, options, "info");
  const [{ supervise }, { readConfig }] = await Promise.all([
    import("../supervise.ts"),
    import("../config_search.ts"),
  ]);
  const loaded = await readConfig(cli, options);
  beginLog(cli, options, "info", loaded.config.logging);
  detachLog(cli, true);
  cli.exitCode = await supervise(cli, command, options, loaded, signals);
}

async function work(cli: Cli, options: Options, { number, reportEveryMs }: WorkerPlace): Promise<void> {
  const terminated = leaveSignalsToSupervisor(() =>
    log.warn("engine.reload_refused", { reason: "a worker: name the process that started it" })
  );
  const { Parent } = await import("../../supervisor/parent.ts");
  const parent = new Parent({
    ...{ orders: Deno.stdin.readable, reports: Deno.stdout },
    ...{ everyMs: reportEveryMs, clock: systemClock },
  });
  cli.worker = number;
  const drain = firstOf(terminated, parent.drain);
  try {
    await serve(cli, options, { drain, cut: parent.cut, engine: { listener: parent.listener } });
  } catch (error) {
    if (!isUsage(error)) throw error;
    // Said once, by the supervisor, who knows whether the others have met the same.
    log.debug("worker.refused", { error });
    await parent.refuse(problemsOf(error).message);
    cli.exitCode = EXIT_USAGE;
  }
}

async function serve(cli: Cli, options: Options, { drain, cut, engine: more }: Surroundings): Promise<void> {
  try {
    beginLog(cli, options, "info");
    detachLog(cli, cli.worker !== undefined);
    const { openDomain } = await import("../open_domain.ts");
    const domain = await openDomain(cli, options, "info", drain, { telemetry: true });
    const { Engine } = await import("../../engine/engine.ts");
    const engine = new Engine(domain, {
      once: options.once ?? false,
      requireDependencies: options.requireDependencies ?? false,
      ...more,
      ...(cli.worker !== undefined && { worker: cli.worker }),
    });
    using _strays = catchStrayErrors((error) => engine.fail(error));
    cli.exitCode = await engine.run({ signal: drain, cut });
  } catch (error) {
    // Told to stop before it had begun: there is nothing to drain and nothing wrong.
    if (drain.aborted && error === drain.reason) return;
    // The run rejects only where it could not begin: then the environment is not what it was told to require.
    if (!(error instanceof UnavailableError)) throw error;
    throw new ConfigurationError(error.message, { code: error.code, cause: error });
  }
}

function detachLog(cli: Cli, shared: boolean): void {
  cli.io.detach?.((lines, bytes) => log.warn("log.lines_dropped", { lines, bytes }), shared);
}
