/**
 * `dlq replay-all`, `discard`, `restore` and `purge`: many dead letters at once.
 *
 * @module
 */
import { Command } from "commander";
import { whoIs } from "../../operations/audit.ts";
import type { LetterKind } from "../../dlq/bulk.ts";
import type { DeadLetterFilter, OperationOptions } from "../../domain/dead_letters.ts";
import type { Operation } from "../../domain/operations.ts";
import type { Domain } from "../../domain/domain.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { listenForStopSignals } from "../../engine/signals.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
import { addFilter, filterOf, type FilterOptions, inWords } from "../dlq_filter.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { LetterFile } from "../letter_file.ts";
import { followed, howToGoOn, operationJson } from "../operation_view.ts";
import { aboveZero, type ActorOptions, addActor, filled, positive } from "../options.ts";
import { EXIT_FAILURE } from "../report.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";
import { printable } from "../../config/visible.ts";

interface Options extends FilterOptions, ActorOptions {
  readonly all?: boolean;
  readonly limit?: number;
  readonly canary?: number;
  readonly rate?: number;
  readonly toAllGroups?: boolean;
  readonly export?: string;
  readonly detach?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** How the command speaks of what it does. */
interface Verb {
  readonly kind: LetterKind;
  readonly does: string;
  readonly done: string;
  readonly warning: string;
  /** Behind the count, where it says more than that. */
  readonly where: string;
}

const REPLAY: Verb = { kind: "replay", does: "replay", done: "replayed", warning: "", where: "" };
const DISCARD: Verb = {
  kind: "discard",
  does: "discard",
  done: "discarded",
  warning: "",
  where: " from DLQ",
};
const RESTORE: Verb = { kind: "restore", does: "restore", done: "restored", warning: "", where: " to DLQ" };
const PURGE: Verb = {
  ...{ kind: "purge", does: "purge", done: "purged", warning: " This cannot be undone." },
  where: " from DLQ",
};

export function replayAllCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("replay-all").description(
      "Hand many messages to the groups that failed, once more, the oldest first; other groups do not see them.",
    ),
    [
      [
        "dlq replay-all --domain=my_domain --handler OrderEventHandler --error TimeoutError --canary 5",
        "five of them first; the others only if all five are handled",
      ],
      ["dlq replay-all --domain=my_domain --all --rate 50 --yes", "fifty a second, without being asked"],
    ],
  )
    .option("--canary <n>", "so many first; go on only if all of them are handled", positive)
    .option("--to-all-groups", "put the messages back on their streams, for every group to handle again");
  return bulk(cli, command, REPLAY);
}

export function discardCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("discard").description(
      "Put dead letters aside. `dlq restore` brings them back for [server.dlq] discard_keep_hours.",
    ),
    [["dlq discard --domain=my_domain --type OrderPlaced --until 7d --reason 'test orders'", "old ones"]],
  ).option("--export <file>", "write them to this new file before, as JSON Lines", filled);
  return bulk(cli, command, DISCARD);
}

export function restoreCommand(cli: Cli): Command {
  const command = withExamples(new Command("restore").description("Bring discarded dead letters back."), [
    ["dlq restore --domain=my_domain --type OrderPlaced", "those of one message type"],
  ]);
  return bulk(cli, command, RESTORE);
}

export function purgeCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("purge").description("Throw dead letters away. They cannot be brought back."),
    [
      ["dlq purge --domain=my_domain --subscription my_domain::order --dry-run", "how many would go"],
      ["dlq purge --domain=my_domain --subscription my_domain::order --yes", "without being asked"],
    ],
  ).option("--export <file>", "write them to this new file before, as JSON Lines", filled);
  return bulk(cli, command, PURGE);
}

function bulk(cli: Cli, command: Command, verb: Verb): Command {
  command
    .option("--all", "whatever there is: instead of a filter")
    .option("--limit <n>", "at most this many", positive)
    .option("--rate <n>", "at most this many a second", aboveZero)
    .option(
      "--detach",
      "leave it to a running server, which begins within seconds, and print its id: see `operations`",
    )
    .option("--dry-run", "say what would be done").option("--yes", "do not ask");
  return addFilter(addActor(command)).action((options: Options) => {
    assertMeant(options);
    return withDomain(cli, options, (runtime, domain) => run(cli, runtime, domain, verb, options));
  });
}

/** Before a domain is looked for: what is meant can be told from the command line alone. */
function assertMeant(options: Options): void {
  const { subscription, handler, type, error, since, until } = options;
  const isFiltered = [subscription, handler, type, error, since, until].some((value) => value !== undefined);
  if (isFiltered === (options.all ?? false)) {
    throw new UsageError("Say which dead letters: a filter such as --subscription or --handler, or --all.");
  }
  if (options.detach && options.export !== undefined) {
    throw new UsageError("--detach does not go with --export: no server writes a file for you.");
  }
  if (options.canary !== undefined && options.toAllGroups) {
    throw new UsageError(
      "--canary does not go with --to-all-groups: what becomes of a message that every group handles cannot be told.",
    );
  }
}

async function run(
  cli: Cli,
  runtime: DomainRuntime,
  domain: Domain,
  verb: Verb,
  options: Options,
): Promise<void> {
  const began = runtime.clock.now();
  const filter = filterOf(options, began);
  const how = operationOptions(cli, options);
  const work = (more: OperationOptions) => domain.deadLetters[verb.kind](filter, { ...how, ...more });
  // What is named wrongly is told before anybody is asked.
  const planned = await work({ dryRun: true });
  if (planned.why !== undefined) return told(cli, verb, filter, planned, options);
  if (options.dryRun) {
    if (options.json) cli.io.out(envelope("pass", { [`would_${verb.does}`]: planned.total }));
    else cli.io.out(`Would ${verb.does} ${planned.total} message(s)${verb.where}.\n`);
    return;
  }
  const question = `${capital(verb.does)} all DLQ messages${inWords(filter)}?${verb.warning}`;
  if (!await confirm(cli, question, options.yes)) {
    cli.io.err(`Nothing was ${verb.done}.\n`);
    return;
  }
  if (options.detach) return detached(cli, await work({ detach: true }), options);
  using file = options.export === undefined ? undefined : await LetterFile.create(cli.io, options.export);
  const line = followed(cli, runtime.clock);
  const signals = listenForStopSignals(runtime.clock);
  try {
    const operation = await work({
      ...{ signal: signals.drain, onAbort: "paused", progress: (operation) => line.update(operation) },
      ...(file && { save: (letters) => file.write(letters) }),
    });
    line.clear();
    told(cli, verb, filter, operation, options);
  } finally {
    line.clear();
    signals.dispose();
  }
}

function detached(cli: Cli, operation: Operation, { json }: Options): void {
  const { id } = operation;
  if (json) return cli.io.out(envelope("pass", { operation: id, ...operationJson(operation) }));
  cli.io.out(`${id}\n`);
  cli.io.err(
    "A running server of this domain does it; without one, `operations resume` does. " +
      "Follow it with `operations show`.\n",
  );
}

function operationOptions(cli: Cli, options: Options): OperationOptions {
  const { canary, rate, limit, toAllGroups, reason } = options;
  return {
    ...(canary !== undefined && { canary }),
    ...(rate !== undefined && { rate }),
    ...(limit !== undefined && { limit }),
    ...(toAllGroups && { toAllGroups }),
    ...(reason !== undefined && { reason }),
    by: whoIs(options.by, (name) => cli.io.env(name)),
  };
}

function told(
  cli: Cli,
  verb: Verb,
  filter: DeadLetterFilter,
  operation: Operation,
  options: Options,
): void {
  const { id, state, total, done, skipped, failed, failures, why } = operation;
  const good = state === "done" && failures === 0;
  if (!good) cli.exitCode = EXIT_FAILURE;
  if (options.json) {
    const facts = {
      operation: id,
      state,
      total,
      [verb.done]: done,
      skipped,
      failures,
      failed,
      why: why ?? null,
    };
    cli.io.out(envelope(good ? "pass" : "fail", facts));
  } else {
    const where = verb.kind === "replay" && filter.subscription !== undefined
      ? ` to stream '${filter.subscription}'`
      : verb.where;
    cli.io.out(`${capital(verb.done)} ${done} message(s)${where}.\n`);
  }
  if (skipped > 0) cli.io.err(`${skipped} message(s) were changed by somebody else first.\n`);
  for (const { id, why } of failed) cli.io.err(`${id}: ${printable(why)}\n`);
  if (failures > failed.length) cli.io.err(`… and ${failures - failed.length} more.\n`);
  if (state === "paused") cli.io.err(howToGoOn(operation, options));
  if (state === "cancelled") cli.io.err(`Stopped: ${done} of ${total} message(s) were ${verb.done}.\n`);
  else if (why !== undefined) cli.io.err(`${printable(why)}\n`);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
