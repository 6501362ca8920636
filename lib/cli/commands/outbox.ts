/**
 * `outbox`: what waits to be published, what was given up, and how to put it back (OBX-4).
 *
 * @module
 */
import { Command, Option } from "commander";
import {
  type BaseProvider,
  OUTBOX_STATUSES,
  type OutboxListing,
  type OutboxStats,
  type OutboxStatus,
} from "../../adapters/ports.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { managedProviders } from "../../domain/places.ts";
import { LAST, reconcile } from "../../engine/outbox_reconcile.ts";
import { audited, whoIs } from "../../operations/audit.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import {
  type ActorOptions,
  addActor,
  addCommonOptions,
  type DomainOptions,
  type LogOptions,
  positive,
} from "../options.ts";
import { clipped, table } from "../table.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly json?: boolean;
}

interface ListOptions extends Options {
  readonly status?: OutboxStatus;
  readonly limit: number;
}

interface RequeueOptions extends Options, ActorOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

interface ReconcileOptions extends Options, ActorOptions {
  readonly limit: number;
}

/** Rows are numbered with 64 bits. */
const LARGEST_ID = 2n ** 63n - 1n;

export function outboxCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("outbox").description("Look after committed messages that are not published yet."),
    [
      ["outbox stats --domain=my_domain", "how much waits, and for how long"],
      ["outbox list --domain=my_domain --status abandoned", "what was given up, and why"],
      ["outbox requeue --domain=my_domain --all --yes", "publish all of it after all"],
    ],
  );
  const commands = [statsCommand(cli), listCommand(cli), requeueCommand(cli), reconcileCommand(cli)];
  for (const command of commands) group.addCommand(command);
  return group;
}

function statsCommand(cli: Cli): Command {
  const command = withExamples(new Command("stats").description("Count the rows of the outbox by status."), [
    ["outbox stats --domain=my_domain --json", "for a program"],
  ]);
  return addCommonOptions(command).action((options: Options) =>
    withDomain(cli, options, (runtime) => stats(cli, runtime, options))
  );
}

function listCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("list").description("List rows of the outbox, the oldest first."),
    [
      ["outbox list --domain=my_domain --status abandoned --limit 20", "the first that were given up"],
    ],
  )
    .addOption(new Option("--status <status>", "only rows with this status").choices(OUTBOX_STATUSES))
    .option("--limit <n>", "at most this many", positive, 100);
  return addCommonOptions(command).action((options: ListOptions) =>
    withDomain(cli, options, (runtime) => list(cli, runtime, options))
  );
}

function requeueCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("requeue").description(
      "Make abandoned or failed rows pending again, with no attempt counted.",
    ),
    [
      ["outbox requeue --domain=my_domain 4711", "one row, as `outbox list` shows it"],
      ["outbox requeue --domain=my_domain --all --yes", "every abandoned row, without being asked"],
    ],
  ).argument("[ids...]", "as `outbox list` shows them")
    .option("--all", "every abandoned row").option("--yes", "do not ask");
  return addCommonOptions(addActor(command)).action((ids: string[], options: RequeueOptions) =>
    withDomain(cli, options, (runtime) => requeue(cli, runtime, ids, options))
  );
}

async function stats(cli: Cli, runtime: DomainRuntime, options: Options): Promise<void> {
  const found = await each(runtime, async (provider) => ({
    database: provider.name,
    stats: await provider.outbox.stats(),
  }));
  const now = runtime.clock.now();
  if (options.json) {
    const databases = found.map(({ database, stats }) => ({
      database,
      ...stats.counts,
      oldest_age_seconds: ageSeconds(stats, now),
    }));
    cli.io.out(envelope("pass", { databases }));
    return;
  }
  const titles = [
    "Database",
    ...OUTBOX_STATUSES.map((status) => status[0]?.toUpperCase() + status.slice(1)),
    "Oldest",
  ];
  cli.io.out(
    await table(
      cli,
      titles,
      found.map(({ database, stats }) => [
        database,
        ...OUTBOX_STATUSES.map((status) => String(stats.counts[status])),
        stats.oldest === undefined ? "-" : `${ageSeconds(stats, now)} s`,
      ]),
    ),
  );
}

function reconcileCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("reconcile").description(
      "Give events of the event store the outbox rows that they lack, as every server does when it starts.",
    ),
    [["outbox reconcile --domain=my_domain --limit 10000", "look further back than a start does"]],
  ).option("--limit <n>", "look at so many of the last messages of the event store", positive, LAST);
  return addCommonOptions(addActor(command)).action((options: ReconcileOptions) =>
    withDomain(cli, options, (runtime) => reconcileNow(cli, runtime, options))
  );
}

async function reconcileNow(cli: Cli, runtime: DomainRuntime, options: ReconcileOptions): Promise<void> {
  const { limit, reason, by, json } = options;
  const change = {
    ...{ what: "outbox.reconcile", reason, filter: { limit: String(limit) } },
    by: whoIs(by, (name) => cli.io.env(name)),
  };
  const never = new AbortController().signal;
  const reconciled = await audited(
    runtime,
    change,
    () => reconcile(runtime, never, limit),
    (count) => ({ count }),
  );
  if (json) return cli.io.out(envelope("pass", { reconciled }));
  cli.io.out(
    reconciled > 0
      ? `Reconciled ${reconciled} outbox row(s) from the event store.\n`
      : "Nothing to reconcile: no event in the scanned window is missing its outbox row.\n",
  );
}

/** Of the oldest row that is neither published nor given up; null where there is none. */
function ageSeconds({ oldest }: OutboxStats, now: number): number | null {
  return oldest === undefined ? null : Math.max(0, Math.round((now - oldest) / 1000));
}

async function list(cli: Cli, runtime: DomainRuntime, { status, limit, json }: ListOptions): Promise<void> {
  const found = await each(runtime, async (provider) => {
    const rows = await provider.outbox.list({ limit, ...(status !== undefined && { status }) });
    return rows.map((row) => ({ database: provider.name, row }));
  });
  const rows = found.flat().sort((a, b) => a.row.createdAt - b.row.createdAt).slice(0, limit);
  if (json) {
    cli.io.out(envelope("pass", { rows: rows.map(rowJson), count: rows.length }));
    return;
  }
  if (rows.length === 0) {
    cli.io.out("No outbox rows found.\n");
    return;
  }
  const titles = ["ID", "Database", "Status", "Stream", "Type", "Broker", "Retries", "Last Error"];
  cli.io.out(
    await table(
      cli,
      titles,
      rows.map(({ database, row }) => [
        row.id,
        database,
        row.status,
        row.streamName,
        row.type,
        row.targetBroker,
        String(row.retryCount),
        clipped(row.lastError ?? "-", 60),
      ]),
    ),
  );
  cli.io.out(`\n${rows.length} outbox row(s) found.\n`);
}

function rowJson({ database, row }: { readonly database: string; readonly row: OutboxListing }) {
  return {
    id: row.id,
    database,
    status: row.status,
    message_id: row.messageId,
    stream_name: row.streamName,
    type: row.type,
    target_broker: row.targetBroker,
    retry_count: row.retryCount,
    last_error: row.lastError ?? null,
    created_at: new Date(row.createdAt).toISOString(),
  };
}

async function requeue(
  cli: Cli,
  runtime: DomainRuntime,
  ids: readonly string[],
  options: RequeueOptions,
): Promise<void> {
  if (options.all ? ids.length > 0 : ids.length === 0) {
    throw new UsageError("Say which rows: their ids as `outbox list` shows them, or --all.");
  }
  const wrong = ids.find((id) => !/^\d{1,19}$/.test(id) || BigInt(id) > LARGEST_ID);
  if (wrong !== undefined) {
    throw new UsageError(
      `'${wrong}' is no id of an outbox row: ids are numbers, as \`outbox list\` shows them.`,
    );
  }
  if (options.all && !await confirm(cli, "Publish every abandoned row after all?", options.yes)) {
    cli.io.err("Nothing was requeued.\n");
    return;
  }
  const change = {
    ...{ what: "outbox.requeue", reason: options.reason },
    by: whoIs(options.by, (name) => cli.io.env(name)),
    filter: options.all ? { status: "abandoned" } : { ids: ids.join(" ") },
  };
  const requeued = await audited(runtime, change, async () => {
    const counts = await each(runtime, (provider) => provider.outbox.requeue(options.all ? undefined : ids));
    return counts.reduce((sum, count) => sum + count, 0);
  }, (count) => ({ count }));
  if (options.json) cli.io.out(envelope("pass", { requeued }));
  else cli.io.out(`Requeued ${requeued} outbox row(s).\n`);
  // Every id that was named and found nothing is somebody's mistake, or somebody else's work.
  if (!options.all && requeued < ids.length) {
    cli.io.err(`${ids.length - requeued} of ${ids.length} rows were neither abandoned nor failed.\n`);
    cli.exitCode = 1;
  }
}

/** Does `work` on every database whose tables are ours. */
function each<T>(runtime: DomainRuntime, work: (provider: BaseProvider) => Promise<T>): Promise<T[]> {
  return Promise.all(managedProviders(runtime).map(work));
}
