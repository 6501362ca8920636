/**
 * `observatory`: metrics and figures of a domain for people and programs, from outside of its servers (wire
 * 9.3, operations 10).
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../async/clock.ts";
import { runtimeOf } from "../../domain/runtime.ts";
import { listenForStopSignals } from "../../engine/signals.ts";
import { beginLog } from "../begin_log.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import { addDomainOption, addLogOptions, type DomainOptions, filled, type LogOptions } from "../options.ts";
import { catchStrayErrors } from "../stray_errors.ts";

interface Options extends DomainOptions, LogOptions {
  readonly host?: string;
  readonly port?: number;
  readonly token?: string;
}

export function observatoryCommand(cli: Cli): Command {
  const command = new Command("observatory")
    .description(
      "Serve /metrics and /api/health, subscriptions, outbox, dlq and rollups of a domain, read-only; no server need run.",
    )
    .option("--host <host>", "where to listen (default: [observatory] host, 127.0.0.1)", filled)
    .option("--port <port>", "the port, 0 for any that is free (default: [observatory] port, 9000)", port)
    .option(
      "--token <token>",
      "bearer token that everybody has to bring; needed off loopback (default: [observatory] token)",
      filled,
    );
  return withExamples(addLogOptions(addDomainOption(command)), [
    ["observatory --domain=my_domain", "on http://127.0.0.1:9000, for this machine alone"],
    ["observatory --domain=my_domain --host 0.0.0.0 --token $TOKEN", "for Prometheus and other machines"],
    ["observatory --domain=my_domain --config shop.toml --port 9100", "of a domain on Redis and PostgreSQL"],
  ]).action((options: Options) => serve(cli, options));
}

async function serve(cli: Cli, options: Options): Promise<void> {
  const signals = listenForStopSignals();
  const { drain: stop } = signals;
  try {
    beginLog(cli, options, "info");
    const [{ openDomain }, { observatorySettings }] = await Promise.all([
      import("../open_domain.ts"),
      import("../../observatory/settings.ts"),
    ]);
    // Tables are the servers' business, whose release may be another.
    const domain = await openDomain(cli, options, "info", stop, { migrate: false });
    try {
      const runtime = runtimeOf(domain);
      const { config } = runtime.config;
      const settings = observatorySettings(config, options);
      const [{ observatory }, { DomainSource }] = await Promise.all([
        import("../../observatory/server.ts"),
        import("../../observatory/domain_source.ts"),
      ]);
      const server = observatory({
        ...{ source: new DomainSource(runtime), settings, clock: systemClock },
        databaseType: (name) => String(config.databases[name]?.provider ?? "unknown"),
      });
      await server.start();
      const failed = Promise.withResolvers<never>();
      using _strays = catchStrayErrors(failed.reject);
      try {
        await Promise.race([aborted(stop), failed.promise]);
      } finally {
        await server.stop();
      }
    } finally {
      await domain.close();
    }
  } catch (error) {
    // Told to stop before it had begun.
    if (!stop.aborted || error !== stop.reason) throw error;
  } finally {
    signals.dispose();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function port(value: string): number {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : NaN;
  if (number <= 65_535) return number;
  throw new InvalidArgumentError("It must be a whole number from 0 to 65535.");
}
