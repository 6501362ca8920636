/**
 * `operations`: work on many letters or messages, whichever process began it (operations 6).
 *
 * @module
 */
import { Command } from "commander";
import type { Operation } from "../../domain/operations.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { listenForStopSignals } from "../../engine/signals.ts";
import { printable } from "../../config/visible.ts";
import { DomainOperations } from "../../operations/domain_operations.ts";
import { whoIs } from "../../operations/audit.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import {
  DONE,
  filterWords,
  followed,
  howToGoOn,
  operationDetails,
  operationJson,
} from "../operation_view.ts";
import {
  addActor,
  addCommonOptions,
  type DomainOptions,
  filled,
  type LogOptions,
  positive,
} from "../options.ts";
import { EXIT_FAILURE } from "../report.ts";
import { clipped, table } from "../table.ts";
import { toTheSecond } from "../times.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly limit?: number;
  readonly by?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

const LIST_LIMIT = 100;

export function operationsCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("operations").description(
      "Look after work on many messages: replays, purges and the like, whoever began them.",
    ),
    [
      ["operations list --domain=my_domain", "what there is, the newest first; kept for thirty days"],
      ["operations resume --domain=my_domain ID", "go on with one that was stopped, or whose process died"],
      ["operations pause --domain=my_domain ID", "from another terminal"],
    ],
  );
  group.addCommand(listCommand(cli));
  group.addCommand(one(cli, "show", "Show one operation, with what it could not do.", show));
  group.addCommand(
    actor(cli, "pause", "Stop an operation within a second, so that `resume` goes on with it.", pause),
  );
  group.addCommand(
    actor(
      cli,
      "resume",
      "Go on with an operation where it stood, here, and wait for its end. Also with one whose process was killed.",
      resume,
    ),
  );
  group.addCommand(actor(cli, "cancel", "End an operation for good; what it has done stays done.", cancel));
  return group;
}

type Act = (
  cli: Cli,
  runtime: DomainRuntime,
  operations: DomainOperations,
  id: string,
  options: Options,
) => Promise<void>;

function one(cli: Cli, name: string, meaning: string, act: Act): Command {
  const command = withExamples(new Command(name).description(meaning), [
    [
      `operations ${name} --domain=my_domain 01234567-89ab-cdef-0123-456789abcdef`,
      "as `operations list` shows it",
    ],
  ]).argument("<id>", "as `operations list` shows it", filled);
  return addCommonOptions(command).action((id: string, options: Options) =>
    withDomain(cli, options, (runtime) => act(cli, runtime, new DomainOperations(() => runtime), id, options))
  );
}

function actor(cli: Cli, name: string, meaning: string, act: Act): Command {
  return addActor(one(cli, name, meaning, act));
}

function listCommand(cli: Cli): Command {
  const command = withExamples(new Command("list").description("List operations, the newest first."), [
    ["operations list --domain=my_domain --json", "for a program"],
  ]).option("--limit <n>", "at most this many", positive, LIST_LIMIT);
  return addCommonOptions(command).action((options: Options) =>
    withDomain(cli, options, async (_, { operations }) => {
      const { limit = LIST_LIMIT } = options;
      await list(cli, await operations.list({ limit }), options);
    })
  );
}

async function list(cli: Cli, operations: readonly Operation[], { json }: Options): Promise<void> {
  if (json) {
    cli.io.out(envelope("pass", { operations: operations.map(operationJson), count: operations.length }));
    return;
  }
  if (operations.length === 0) return cli.io.out("No operations found.\n");
  const rows = operations.map(({ id, kind, state, done, total, failures, by, filter, created }) => [
    ...[id, kind, state, `${done}/${total}`, String(failures), by],
    ...[toTheSecond(created.toISOString()), clipped(filterWords(filter), 60)],
  ]);
  const titles = ["ID", "Kind", "State", "Done", "Failed", "By", "Created", "Filter"];
  cli.io.out(await table(cli, titles, rows));
  cli.io.out(`\n${operations.length} operation(s) found.\n`);
}

async function show(
  cli: Cli,
  _: DomainRuntime,
  operations: DomainOperations,
  id: string,
  { json }: Options,
): Promise<void> {
  const operation = await operations.find(id);
  cli.io.out(json ? envelope("pass", operationJson(operation)) : operationDetails(cli, operation));
}

async function pause(
  cli: Cli,
  _: DomainRuntime,
  operations: DomainOperations,
  id: string,
  options: Options,
): Promise<void> {
  await operations.pause(id, by(cli, options));
  await changed(cli, operations, id, "Paused", options);
}

async function cancel(
  cli: Cli,
  _: DomainRuntime,
  operations: DomainOperations,
  id: string,
  options: Options,
): Promise<void> {
  await operations.cancel(id, by(cli, options));
  await changed(cli, operations, id, "Cancelled", options);
}

async function changed(
  cli: Cli,
  operations: DomainOperations,
  id: string,
  word: string,
  { json }: Options,
): Promise<void> {
  const operation = await operations.find(id);
  if (json) cli.io.out(envelope("pass", operationJson(operation)));
  else cli.io.out(`${word} the operation '${printable(id)}'.\n`);
}

async function resume(
  cli: Cli,
  runtime: DomainRuntime,
  operations: DomainOperations,
  id: string,
  options: Options,
): Promise<void> {
  const line = followed(cli, runtime.clock);
  const signals = listenForStopSignals(runtime.clock);
  try {
    await operations.resume(id, {
      ...by(cli, options),
      ...{ signal: signals.drain, onAbort: "paused", progress: (operation) => line.update(operation) },
    });
  } finally {
    line.clear();
    signals.dispose();
  }
  const operation = await operations.find(id);
  const { kind, state, done, failures, why } = operation;
  const good = state === "done" && failures === 0;
  if (!good) cli.exitCode = EXIT_FAILURE;
  if (options.json) cli.io.out(envelope(good ? "pass" : "fail", operationJson(operation)));
  else cli.io.out(`The operation is ${state}: ${done} message(s) ${DONE[kind]}.\n`);
  if (state === "paused") cli.io.err(howToGoOn(operation, options));
  if (why !== undefined) cli.io.err(`${printable(why)}\n`);
}

function by(cli: Cli, { by, reason }: Options) {
  return { by: whoIs(by, (name) => cli.io.env(name)), reason };
}
