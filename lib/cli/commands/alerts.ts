/**
 * `alerts`: what fires, and what nobody wants to hear of for a while (operations 11).
 *
 * @module
 */
import { Argument, Command, InvalidArgumentError } from "commander";
import { listAlerts, type ListedAlert, LONGEST_MUTE_MS, muteAlerts } from "../../alerts/desk.ts";
import { RULE_NAMES } from "../../alerts/rule_settings.ts";
import type { AlertFacts, Mute } from "../../alerts/kept.ts";
import { printable } from "../../config/visible.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { whoIs } from "../../operations/audit.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import {
  type ActorOptions,
  addActor,
  addCommonOptions,
  type DomainOptions,
  filled,
  type LogOptions,
} from "../options.ts";
import { clipped, table } from "../table.ts";
import { durationMs, toTheSecond } from "../times.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly for?: number;
  readonly json?: boolean;
}

const HOUR_MS = 3_600_000;

export function alertsCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("alerts").description("Look at what needs somebody, and mute it for a while."),
    [
      ["alerts list --domain=my_domain", "what fires now"],
      ["alerts mute --domain=my_domain oldest_age --for 2h", "nobody is told of a rule for two hours"],
      ["alerts mute --domain=my_domain check payments", "of one subject, for an hour"],
    ],
  );
  group.addCommand(listCommand(cli));
  group.addCommand(muteCommand(cli));
  return group;
}

function listCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("list").description(
      "List what fires, what may soon (pending), and what is over while somebody does not know (resolved).",
    ),
    [["alerts list --domain=my_domain --json", "for a program"]],
  );
  return addCommonOptions(command).action((options: Options) =>
    withDomain(cli, options, (runtime) => list(cli, runtime, options))
  );
}

function muteCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("mute").description(
      "Tell nobody of a rule, or of one of its subjects, for a while. What fires when it is over is told then.",
    ),
    [
      [
        "alerts mute --domain=my_domain silent_subscription my_domain.Mailer --for 30m",
        "of one subscription",
      ],
      ["alerts mute --domain=my_domain dlq_depth --for 0s", "end a mute"],
    ],
  )
    .addArgument(new Argument("<rule>", "what is judged").choices(RULE_NAMES))
    .argument("[subject]", "as `alerts list` shows it (default: every one)", filled)
    .option("--for <duration>", "such as 30m, 2h or 1d; 0s ends a mute (default: 1h)", duration);
  return addActor(addCommonOptions(command)).action(
    (rule: string, subject: string | undefined, options: Options) =>
      withDomain(cli, options, (runtime) => mute(cli, runtime, { rule, subject }, options)),
  );
}

function duration(value: string): number {
  const ms = durationMs(value);
  if (ms === undefined) {
    throw new InvalidArgumentError("It is no time: give one as 30m, 2h or 1d.");
  }
  if (ms > LONGEST_MUTE_MS) {
    throw new InvalidArgumentError("It is muted for at most 30 days: turn its rule off instead.");
  }
  return ms;
}

async function list(cli: Cli, runtime: DomainRuntime, { json }: Options): Promise<void> {
  const { alerts, mutes } = await listAlerts(runtime);
  if (json) {
    cli.io.out(envelope("pass", {
      ...{ alerts: alerts.map(alertJson), mutes: mutes.map(muteJson), count: alerts.length },
    }));
    return;
  }
  const { enabled } = runtime.config.config.alerts;
  if (!enabled) cli.io.err("[alerts] enabled is false: only the rule dlq_depth is watched.\n");
  if (alerts.length === 0) cli.io.out("No alerts found.\n");
  else {
    const rows = alerts.map(({ rule, subject, state, since, text, muted }) => [
      // Whole, for it is what `alerts mute` takes.
      ...[muted ? `${state}, muted` : state, rule, printable(subject), second(since)],
      clipped(printable(text), 120),
    ]);
    cli.io.out(await table(cli, ["State", "Rule", "Subject", "Since", "What"], rows));
    cli.io.out(`\n${alerts.length} alert(s) found.\n`);
  }
  for (const { rule, subject, until, by } of mutes) {
    const what = subject === undefined ? rule : `${rule} ${subject}`;
    cli.io.out(
      printable(`Muted until ${second(until)}: ${what}${by === undefined ? "" : ` (by ${by})`}`) + "\n",
    );
  }
}

async function mute(
  cli: Cli,
  runtime: DomainRuntime,
  { rule, subject }: { readonly rule: string; readonly subject: string | undefined },
  options: Options,
): Promise<void> {
  const { for: ms = HOUR_MS, reason, json } = options;
  const by = whoIs(options.by, (name) => cli.io.env(name));
  const until = await muteAlerts(runtime, { rule, subject, ms, by, reason });
  const what = subject === undefined ? rule : `${rule} ${printable(subject)}`;
  if (json) {
    const time = until === undefined ? null : new Date(until).toISOString();
    cli.io.out(envelope("pass", { rule, subject: subject ?? null, until: time }));
  } else if (until === undefined) cli.io.out(`Not muted any more: ${what}.\n`);
  else cli.io.out(`Muted until ${second(until)}: ${what}.\n`);
}

function alertJson({ rule, subject, state, since, value, threshold, text, muted }: ListedAlert) {
  return {
    ...{ rule, subject, state, since: new Date(since).toISOString() },
    ...{ value: value ?? null, threshold: threshold ?? null, text, muted },
  };
}

function muteJson({ rule, subject, until, by }: Mute) {
  return { rule, subject: subject ?? null, until: new Date(until).toISOString(), by: by ?? null };
}

/** In UTC, to the second. */
function second(ms: AlertFacts["since"]): string {
  return toTheSecond(new Date(ms).toISOString());
}
