/**
 * `subscriptions replay`: what a handler was given between two times, once more (operations 6).
 *
 * @module
 */
import { Command, Option } from "commander";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { listenForStopSignals } from "../../engine/signals.ts";
import { whoIs } from "../../operations/audit.ts";
import { replayWindow } from "../../operations/window.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { followed, howToGoOn, operationJson } from "../operation_view.ts";
import {
  aboveZero,
  type ActorOptions,
  addActor,
  addCommonOptions,
  type DomainOptions,
  filled,
  type LogOptions,
} from "../options.ts";
import { EXIT_FAILURE } from "../report.ts";
import { type Moment, moment } from "../times.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";
import { printable } from "../../config/visible.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly from: Moment;
  readonly to: Moment;
  readonly type?: string;
  readonly key?: string;
  readonly rate?: number;
  readonly marks: "keep" | "ignore";
  readonly detach?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function windowCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("replay").description(
      "Give a handler once more what it was given between two times, from the stream while that holds it, else " +
        "from the event store; other handlers do not see it. A running server handles it.",
    ),
    [
      ["subscriptions replay --domain=my_domain OrderEventHandler --from 24h --to 1h --dry-run", "how many"],
      [
        "subscriptions replay --domain=my_domain OrderEventHandler --from 24h --to 1h",
        "what it has not handled",
      ],
      [
        "subscriptions replay --domain=my_domain OrderEventHandler --from 2026-11-28 --to 2026-11-29 --marks ignore",
        "all of it, although it was handled",
      ],
    ],
  ).argument("<handler>", "as declared", filled)
    .requiredOption("--from <time>", "then or later: 2026-11-28T10:00:00Z, or 24h or 7d ago", moment)
    .requiredOption("--to <time>", "before", moment)
    .option("--type <name>", "of this message type: OrderPlaced, MyDomain.OrderPlaced.v1", filled)
    .option("--key <id>", "of this aggregate", filled)
    .option("--rate <n>", "at most this many a second", aboveZero)
    .addOption(
      new Option("--marks <how>", "keep: handle only what never was; ignore: handle everything again")
        .choices(["keep", "ignore"]).default("keep"),
    )
    .option(
      "--detach",
      "leave it to a running server, which begins within seconds, and print its id: see `operations`",
    )
    .option("--dry-run", "say what would be done");
  return addCommonOptions(addActor(command)).action((handler: string, options: Options) =>
    withDomain(cli, options, (runtime) => replay(cli, runtime, handler, options))
  );
}

async function replay(cli: Cli, runtime: DomainRuntime, handler: string, options: Options): Promise<void> {
  const { type, key, rate, marks, detach, dryRun, reason } = options;
  const now = runtime.clock.now();
  const [from, to] = [options.from(now), options.to(now)];
  if (from >= to) {
    throw new UsageError(`--from (${from.toISOString()}) must be before --to (${to.toISOString()}).`);
  }
  const line = followed(cli, runtime.clock);
  const signals = listenForStopSignals(runtime.clock);
  try {
    const operation = await replayWindow(runtime, {
      ...{ handler, from, to, type, key, rate, marks, detach, dryRun, reason },
      by: whoIs(options.by, (name) => cli.io.env(name)),
    }, { signal: signals.drain, onAbort: "paused", progress: (operation) => line.update(operation) });
    line.clear();
    const { state, total, done, failed, failures, why } = operation;
    const good = failures === 0 && (state === "done" || state === "planned");
    if (!good) cli.exitCode = EXIT_FAILURE;
    if (options.json) {
      const facts = dryRun ? { would_send: total } : operationJson(operation);
      cli.io.out(envelope(good ? "pass" : "fail", facts));
    } else if (dryRun) cli.io.out(`Would send ${total} message(s) to ${printable(handler)}.\n`);
    else if (detach) cli.io.out(`${operation.id}\n`);
    else cli.io.out(`Sent ${done} message(s) to ${printable(handler)}.\n`);
    for (const { id, why } of failed) cli.io.err(`${printable(id)}: ${printable(why)}\n`);
    if (state === "paused") cli.io.err(howToGoOn(operation, options));
    else if (why !== undefined) cli.io.err(`${printable(why)}\n`);
  } finally {
    line.clear();
    signals.dispose();
  }
}
