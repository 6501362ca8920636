/**
 * `subscriptions`: what each handler runs with, how far it is, and the groups of its streams (wire 8.7,
 * delivery 8).
 *
 * @module
 */
import type { BaseBroker, GroupInfo } from "../../adapters/ports.ts";
import { Command } from "commander";
import { maskText } from "../../config/secrets.ts";
import { printable } from "../../config/visible.ts";
import { lanesOf } from "../../domain/lanes.ts";
import { brokerOf, subscriptionBroker } from "../../domain/places.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { ProteanError } from "../../errors.ts";
import { audited, whoIs } from "../../operations/audit.ts";
import { replayLane } from "../../message/names.ts";
import { collectStatus } from "../../status/collect.ts";
import { collectGroups, readerOf } from "../../status/groups.ts";
import type { StatusRow } from "../../status/row.ts";
import { withStatus } from "../../subscription/settings/status_runtime.ts";
import { explainSubscriptions } from "../../subscription/settings/explained.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
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
import { table } from "../table.ts";
import { withDomain } from "../with_domain.ts";
import { failedCommand } from "./failed.ts";
import { partitionsCommand } from "./partitions.ts";
import { windowCommand } from "./window.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** One command that only looks at a domain. */
type Look = (cli: Cli, runtime: DomainRuntime, options: Options) => Promise<void>;

export function subscriptionsCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("subscriptions").description("Look at subscriptions: settings, status, consumer groups."),
    [
      ["subscriptions status --domain=my_domain", "how far each handler is behind"],
      ["subscriptions config --domain=my_domain", "what each handler runs with, and why"],
      ["subscriptions groups --domain=my_domain", "who keeps entries from being trimmed"],
    ],
  );
  const looks: readonly [string, string, Look][] = [
    ["status", "Show how far each subscription and outbox is; no server need run.", status],
    ["config", "Show each handler's settings and where each came from.", config],
    ["groups", "List every consumer group of the domain's streams.", groups],
  ];
  for (const [name, meaning, look] of looks) {
    const command = withExamples(new Command(name).description(meaning), [
      [`subscriptions ${name} --domain=my_domain`, "as a table"],
      [`subscriptions ${name} --domain=my_domain --json`, "for a program"],
    ]);
    // Settings are known without a single table.
    const how = { migrate: look !== config };
    group.addCommand(
      addCommonOptions(command).action((options: Options) =>
        withDomain(cli, options, (runtime) => look(cli, runtime, options), how)
      ),
    );
  }
  return group.addCommand(dropGroupCommand(cli)).addCommand(partitionsCommand(cli)).addCommand(
    failedCommand(cli),
  ).addCommand(windowCommand(cli));
}

function dropGroupCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("drop-group").description(
      "Remove a consumer group that nobody reads with any more; entries stay on the stream.",
    ),
    [
      ["subscriptions drop-group --domain=my_domain my_domain::order my_domain.OldHandler", "asks first"],
      ["subscriptions drop-group --domain=my_domain my_domain::order my_domain.OldHandler --yes", "does not"],
    ],
  ).argument("<stream>", "as `subscriptions groups` shows it", filled)
    .argument("<group>", "as `subscriptions groups` shows it", filled)
    .option("--yes", "do not ask");
  return addCommonOptions(addActor(command)).action((stream: string, name: string, options: Options) =>
    withDomain(cli, options, async (runtime) => {
      const change = {
        ...{ what: "subscriptions.drop-group", filter: { stream, group: name }, reason: options.reason },
        by: whoIs(options.by, (name) => cli.io.env(name)),
      };
      const drop = () => dropGroup(cli, runtime, { stream, name, options });
      await audited(runtime, change, drop, (count) => ({ count }));
    })
  );
}

async function status(cli: Cli, runtime: DomainRuntime, { json }: Options): Promise<void> {
  const rows = await collectStatus(withStatus(runtime), { ages: true });
  if (json) return cli.io.out(envelope("pass", { subscriptions: rows }));
  const titles = [
    ...["Handler", "Type", "Stream", "Lag", "Lag (s)", "Pending", "Oldest (s)", "DLQ", "Breaker"],
    ...["Consumers", "Status"],
  ];
  cli.io.out(`Subscriptions: ${printable(runtime.name)}\n\n`);
  cli.io.out(await table(cli, titles, rows.map(statusCells)));
  const count = (wanted: StatusRow["status"]) => rows.filter(({ status }) => status === wanted).length;
  const lag = rows.reduce((sum, row) => sum + (row.lag ?? 0), 0);
  cli.io.out(
    `\n${rows.length} subscription(s), ${count("ok")} ok, ${count("lagging")} lagging, ` +
      `${count("unknown")} unknown, total lag: ${lag}\n`,
  );
}

function statusCells(row: StatusRow): string[] {
  return [
    row.handler_name,
    row.subscription_type,
    row.stream_category,
    figure(row.lag),
    seconds(row.lag_seconds),
    figure(row.pending),
    seconds(row.oldest_pending_seconds),
    figure(row.dlq_depth || null),
    row.breaker ?? "-",
    figure(row.consumer_count || null),
    row.status,
  ];
}

async function config(cli: Cli, runtime: DomainRuntime, { json }: Options): Promise<void> {
  const subscriptions = explainSubscriptions(runtime);
  if (json) return cli.io.out(envelope("pass", { subscriptions }));
  if (subscriptions.length === 0) return cli.io.out("No subscriptions found in domain.\n");
  for (const [index, { name, stream_category, settings }] of subscriptions.entries()) {
    const title = `${cli.colors.bold(printable(name))} on ${printable(stream_category)}`;
    cli.io.out(`${index === 0 ? "" : "\n"}${title}\n`);
    const rows = Object.entries(settings).map(([key, { value, origin }]) => [key, figure(value), origin]);
    cli.io.out(await table(cli, ["Setting", "Value", "Origin"], rows));
  }
}

async function groups(cli: Cli, runtime: DomainRuntime, { json }: Options): Promise<void> {
  const rows = await collectGroups(withStatus(runtime));
  if (json) return cli.io.out(envelope("pass", { groups: rows, count: rows.length }));
  if (rows.length === 0) return cli.io.out("No consumer groups found.\n");
  const titles = [
    ...["Stream", "Group", "Handler", "Lag", "Lag (s)", "Pending", "Oldest (s)", "Consumers"],
    "Last Delivered",
  ];
  const cells = rows.map((row) => [
    row.stream,
    row.group,
    row.handler_name ?? "-",
    figure(row.lag),
    seconds(row.lag_seconds),
    figure(row.pending),
    seconds(row.oldest_pending_seconds),
    figure(row.consumer_count),
    row.last_delivered_id,
  ]);
  cli.io.out(await table(cli, titles, cells));
  cli.io.out(
    `\n${rows.length} group(s) found; '-' under Handler: no handler of this domain reads with it.\n`,
  );
}

async function dropGroup(
  cli: Cli,
  runtime: DomainRuntime,
  { stream, name, options }: { readonly stream: string; readonly name: string; readonly options: Options },
): Promise<number> {
  const { broker, found } = await groupOf(runtime, stream, name);
  const reader = readerOf(withStatus(runtime), categoryRead(runtime, stream), name);
  const returning = await broker.length(replayLane(stream, name));
  if (reader) {
    cli.io.err(
      `${
        cli.errColors.yellow("Warning:")
      } ${reader.name} reads with this group: its server makes it anew and ` +
        "handles everything that is still on the stream once more.\n",
    );
  }
  const what = `${found.lag ?? "an unknown number of"} entries not delivered and ${found.pending} pending` +
    (returning > 0 ? `, ${returning} replayed` : "");
  const question = `Drop the group '${name}' of stream '${stream}', with ${what}? This cannot be undone.`;
  if (!await confirm(cli, question, options.yes)) {
    cli.io.err("Nothing was dropped.\n");
    return 0;
  }
  if (!await broker.dropGroup(stream, name)) throw missing(stream, name);
  if (options.json) {
    cli.io.out(envelope("pass", { stream, group: name, lag: found.lag, pending: found.pending }));
  } else cli.io.out(`Dropped the group '${name}' of stream '${stream}'.\n`);
  return 1;
}

/** The category that subscriptions name where they read this stream, which may be its backfill lane. */
function categoryRead({ config, runners }: DomainRuntime, stream: string): string {
  const lanes = lanesOf(config.config);
  const categories = runners.flatMap((runner) =>
    runner.categories.filter((category) => lanes?.backfillOf(runner, category) === stream)
  );
  return categories[0] ?? stream;
}

/** Where the group is: on the broker of the domain, or on one that a subscriber of it reads from. */
async function groupOf(
  runtime: DomainRuntime,
  stream: string,
  name: string,
): Promise<{ readonly broker: BaseBroker; readonly found: GroupInfo }> {
  for (const broker of new Set([subscriptionBroker(runtime), ...subscribedBrokers(runtime, stream)])) {
    const found = (await broker.groups(stream)).find(({ group }) => group === name);
    if (found) return { broker, found };
  }
  throw missing(stream, name);
}

function subscribedBrokers(runtime: DomainRuntime, stream: string): readonly BaseBroker[] {
  return runtime.runners.filter(({ categories }) => categories.includes(stream))
    .map((runner) => brokerOf(runtime, runner));
}

function missing(stream: string, group: string): ProteanError {
  return new ProteanError(
    maskText(
      `Stream '${stream}' has no group '${group}': see \`subscriptions groups\` for those that it has.`,
    ),
    { code: "GROUP_UNKNOWN" },
  );
}

function figure(value: string | number | boolean | null): string {
  return value === null ? "-" : String(value);
}

function seconds(value: number | null): string {
  return value === null ? "-" : value.toFixed(1);
}
