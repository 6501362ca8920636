/**
 * `server --workers N`: this program once more for each worker, and one port for the probes of all.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Command } from "commander";
import { systemClock } from "../async/clock.ts";
import type { LoadedConfig } from "../config/loaded.ts";
import type { ReloadRequests, StopSignals } from "../engine/signals.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { selfCommand } from "../executable/standalone.ts";
import { reportEveryMs } from "../health/report.ts";
import { HealthServer } from "../health/server.ts";
import { metricsPlace } from "../health/page.ts";
import { poolAlive, poolPage, poolSnapshot, supervisorRoutes } from "../supervisor/health.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import type { Child } from "../supervisor/worker_process.ts";
import type { Cli } from "./cli.ts";
import { systemd } from "./sd_notify.ts";
import type { SupervisorFlags } from "./worker_options.ts";

const log = getLogger(["protean", "supervisor"]);

/**
 * Runs the workers until they have ended, and returns the exit code. `command` as it was parsed: the workers
 * get its options. Throws `ConfigurationError` when it cannot begin.
 */
export async function supervise(
  cli: Cli,
  command: Command,
  flags: SupervisorFlags,
  { config: { server } }: LoadedConfig,
  signals: Pick<StopSignals, "drain" | "cut"> & { readonly reload: ReloadRequests },
): Promise<number> {
  const { health } = server;
  const everyMs = reportEveryMs(health.blocked_after_seconds);
  const options = optionsOf(command);
  // Now: once an upgrade has put another file in its place, the system calls this one deleted.
  const self = selfCommand();
  const supervisor = new Supervisor({
    workers: flags.workers,
    spawn: (number) => spawn(self, [...options, `--as-worker=${number}@${everyMs}`]),
    restart: flags.restart,
    once: flags.once ?? false,
    drainTimeoutSeconds: server.drain_timeout_seconds,
    blockedAfterSeconds: health.blocked_after_seconds,
    printed: cli.io.passOn?.((count, bytes) => log.warn("supervisor.output_dropped", { count, bytes })) ??
      ((text) => cli.io.out(text)),
    clock: systemClock,
  });
  const probes = health.enabled
    ? new HealthServer({
      host: health.host,
      port: health.port,
      portAutoIncrement: health.port_auto_increment,
      required: flags.requireDependencies ?? false,
      clock: systemClock,
      routes: supervisorRoutes(supervisor),
      ...(server.metrics.enabled && {
        page: { ...metricsPlace(server.metrics.path), text: () => poolPage(supervisor) },
      }),
    })
    : undefined;
  signals.reload.asked = () => void supervisor.roll();
  await probes?.start();
  const told = systemd({
    ...{ env: (name) => cli.io.env(name), clock: systemClock, drain: signals.drain },
    source: { alive: () => poolAlive(supervisor.slots), snapshot: () => poolSnapshot(supervisor) },
  });
  await told?.start();
  try {
    return await supervisor.run({ signal: signals.drain, cut: signals.cut });
  } finally {
    await probes?.stop();
    await told?.stop();
  }
}

function spawn([program, ...before]: readonly [string, ...string[]], args: readonly string[]): Child {
  try {
    return new Deno.Command(program, {
      args: [...before, "server", ...args],
      // A worker tells systemd nothing; its supervisor does.
      env: { NOTIFY_SOCKET: "", WATCHDOG_USEC: "" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotCapable
      ? "the permission to run it is missing, see 'Permissions' in docs/guides/releasing.md"
      : asError(cause).message;
    throw new ConfigurationError(`A worker cannot be started from ${program}: ${why.replace(/\.$/, "")}.`, {
      code: "WORKER_START",
      cause,
    });
  }
}

/** What was given on the command line, in the form of one argument each, but for the number of workers. */
function optionsOf(command: Command): readonly string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    if (name === "workers" || command.getOptionValueSource(name) !== "cli" || !option.long) return [];
    return option.required ? [`${option.long}=${command.getOptionValue(name)}`] : [option.long];
  });
}
