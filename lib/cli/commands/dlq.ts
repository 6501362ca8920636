/**
 * `dlq`: what could not be handled, found, read, replayed to the group that failed, or thrown away (design
 * 12).
 *
 * @module
 */
import { Command } from "commander";
import { printable } from "../../config/visible.ts";
import { audit, audited, whoIs } from "../../operations/audit.ts";
import "../../dlq/dead_letters.ts";
import { payloadText, replaceLetter } from "../../dlq/edited.ts";
import { DeadLetterQueues, type QueuedLetter } from "../../dlq/queues.ts";
import type { Domain } from "../../domain/domain.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { asError, ProteanError } from "../../errors.ts";
import { listenForStopSignals } from "../../engine/signals.ts";
import type { Cli } from "../cli.ts";
import { letterJson, letterPayload } from "../../dlq/letter_json.ts";
import { letterDetails } from "../dead_letter_view.ts";
import { addFilter, filterOf, type FilterOptions } from "../dlq_filter.ts";
import { edited } from "../editor.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { LetterFile } from "../letter_file.ts";
import { type ActorOptions, addActor, filled, positive } from "../options.ts";
import { clipped, table } from "../table.ts";
import { toTheSecond } from "../times.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";
import { discardCommand, purgeCommand, replayAllCommand, restoreCommand } from "./dlq_bulk.ts";
import { importCommand } from "./dlq_import.ts";
import { noteCommand } from "./dlq_note.ts";
import { statsCommand } from "./dlq_stats.ts";

interface Options extends FilterOptions, ActorOptions {
  readonly limit?: number;
  readonly export?: string;
  readonly discarded?: boolean;
  readonly toAllGroups?: boolean;
  readonly edit?: boolean;
  readonly allowEdit?: boolean;
  readonly dryRun?: boolean;
}

/** Letters of a list, where nobody says how many. */
const LIST_LIMIT = 100;

export function dlqCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("dlq").description("Look after messages that could not be handled."),
    [
      ["dlq stats --domain=my_domain", "how many there are, and what they failed of"],
      ["dlq list --domain=my_domain", "what there is, the newest first"],
      ["dlq inspect --domain=my_domain 1795356754518-0", "why one failed, and its payload"],
      ["dlq replay --domain=my_domain 1795356754518-0", "hand it to the handler again"],
      ["dlq replay-all --domain=my_domain --error TimeoutError --canary 5", "many, a few of them first"],
    ],
  );
  for (
    const command of [
      listCommand(cli),
      statsCommand(cli),
      noteCommand(cli),
      inspectCommand(cli),
      replayCommand(cli),
      replayAllCommand(cli),
      discardCommand(cli),
      restoreCommand(cli),
      purgeCommand(cli),
      importCommand(cli),
    ]
  ) group.addCommand(command);
  return group;
}

function listCommand(cli: Cli): Command {
  const command = withExamples(new Command("list").description("List dead letters, the newest first."), [
    [
      "dlq list --domain=my_domain --subscription my_domain::order --limit 20",
      "the newest of one stream category",
    ],
    ["dlq list --domain=my_domain --handler OrderEventHandler --json", "of one handler, for a program"],
    [
      "dlq list --domain=my_domain --error RangeError --since 24h --export letters.jsonl",
      "since yesterday, whole, into a file",
    ],
  ])
    .option("--limit <n>", "at most this many (default: 100; with --export all)", positive)
    .option("--discarded", "those that `dlq discard` has put aside")
    .option(
      "--export <file>",
      "write them to this new file instead, as JSON Lines, the oldest first",
      filled,
    );
  return addFilter(command).action((options: Options) =>
    withDomain(
      cli,
      options,
      (runtime, domain) =>
        options.export === undefined
          ? list(cli, runtime, options)
          : exportAll(cli, runtime, domain, options.export, options),
    )
  );
}

function inspectCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("inspect").description("Show why a message failed, and its payload."),
    [
      ["dlq inspect --domain=my_domain 1795356754518-0", "one dead letter"],
    ],
  ).argument("<id>", "as `dlq list` shows it", filled);
  return addFilter(command).action((id: string, options: Options) =>
    withDomain(cli, options, (runtime) => inspect(cli, runtime, id, options))
  );
}

function replayCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("replay").description(
      "Hand a message to the group that failed, once more; other groups do not see it.",
    ),
    [["dlq replay --domain=my_domain 1795356754518-0", "one dead letter"]],
  ).argument("<id>", "as `dlq list` shows it", filled)
    .option("--to-all-groups", "put the message back on its stream, for every group to handle again")
    .option("--edit", "open the payload in the program that EDITOR names, and replay it as it was saved")
    .option("--allow-edit", "without this, --edit is refused")
    .option("--dry-run", "say what would be done");
  return addFilter(addActor(command)).action((id: string, options: Options) => {
    assertMayEdit(options);
    return withDomain(cli, options, (runtime, domain) => replay(cli, runtime, domain, id, options));
  });
}

/** What a message says is evidence: that it is changed has to be meant. */
function assertMayEdit({ edit, allowEdit, dryRun }: Options): void {
  if (edit && !allowEdit) {
    throw new UsageError(
      "--edit changes what was sent, and is off: say --allow-edit as well where that is meant.",
    );
  }
  if (edit && dryRun) throw new UsageError("--edit does not go with --dry-run: it changes the message.");
}

async function list(cli: Cli, runtime: DomainRuntime, options: Options): Promise<void> {
  const letters = await newest(runtime, options);
  if (options.json) {
    cli.io.out(envelope("pass", { messages: letters.map(letterJson), count: letters.length }));
    return;
  }
  if (letters.length === 0) {
    cli.io.out("No DLQ messages found.\n");
    return;
  }
  const titles = ["DLQ ID", "Subscription", "Consumer Group", "Failure Reason", "Failed At", "Retries"];
  cli.io.out(await table(cli, titles, letters.map(row)));
  cli.io.out(`\n${letters.length} DLQ message(s) found.\n`);
}

/** As many as were asked for, however far back a filter has to look for them. */
async function newest(runtime: DomainRuntime, options: Options): Promise<readonly QueuedLetter[]> {
  const queues = DeadLetterQueues.of(runtime);
  const filter = filterOf(options, runtime.clock.now());
  const { limit = LIST_LIMIT, discarded = false } = options;
  const letters: QueuedLetter[] = [];
  let cursor: string | undefined;
  do {
    const page = await queues.list({ ...filter, limit: limit - letters.length, cursor, discarded });
    letters.push(...page.entries);
    cursor = page.cursor;
  } while (cursor !== undefined && letters.length < limit);
  return letters;
}

async function exportAll(
  cli: Cli,
  runtime: DomainRuntime,
  domain: Domain,
  name: string,
  options: Options,
): Promise<void> {
  const { limit = Infinity } = options;
  if (options.discarded) throw new UsageError("--export does not go with --discarded: restore them before.");
  const found = domain.deadLetters.export(filterOf(options, runtime.clock.now()));
  let file: LetterFile | undefined;
  try {
    for await (const letters of found) {
      // What is named wrongly leaves no file.
      file ??= await LetterFile.create(cli.io, name);
      await file.write(letters.slice(0, limit - file.written));
      if (file.written >= limit) break;
    }
    file ??= await LetterFile.create(cli.io, name);
    if (options.json) cli.io.out(envelope("pass", { exported: file.written, file: name }));
    else cli.io.out(`Exported ${file.written} message(s) to '${printable(name)}'.\n`);
  } finally {
    file?.[Symbol.dispose]();
  }
}

function row({ id, subscription, letter }: QueuedLetter): string[] {
  const failedAt = letter.failedAt === null ? "-" : toTheSecond(letter.failedAt);
  return [
    id,
    subscription,
    letter.consumerGroup,
    clipped(letter.failureReason, 60),
    failedAt,
    String(letter.retryCount),
  ];
}

async function inspect(cli: Cli, runtime: DomainRuntime, id: string, options: Options): Promise<void> {
  const found = await DeadLetterQueues.of(runtime).find(id, filterOf(options, runtime.clock.now()));
  if (options.json) cli.io.out(envelope("pass", { ...letterJson(found), payload: letterPayload(found) }));
  else cli.io.out(letterDetails(cli, found));
}

async function replay(
  cli: Cli,
  runtime: DomainRuntime,
  domain: Domain,
  id: string,
  options: Options,
): Promise<void> {
  const found = await wanted(cli, runtime, id, options);
  const { subscription, letter: { consumerGroup } } = found;
  if (!options.dryRun) {
    const letter = options.edit ? await mended(cli, runtime, found, options) : found;
    await replayOne(cli, domain, letter, options);
  }
  if (options.json) {
    const outcome = options.dryRun ? "would be replayed" : "replayed";
    const facts = { dlq_id: id, stream: subscription, consumer_group: consumerGroup, outcome };
    cli.io.out(envelope("pass", facts));
  } else {
    cli.io.out(
      `${options.dryRun ? "Would replay" : "Replayed"} message '${id}' to stream '${subscription}'.\n`,
    );
  }
}

/** That there is none is a refusal, which is noted. */
async function wanted(cli: Cli, runtime: DomainRuntime, id: string, options: Options): Promise<QueuedLetter> {
  const filter = filterOf(options, runtime.clock.now());
  try {
    return await DeadLetterQueues.of(runtime).find(id, filter);
  } catch (error) {
    if (!options.dryRun) {
      const by = whoIs(options.by, (name) => cli.io.env(name));
      const facts = { what: "dlq.replay", by, filter: { ...filter, id }, reason: options.reason };
      await audit(runtime, { ...facts, outcome: "refused", why: asError(error).message });
    }
    throw error;
  }
}

/** The letter with the payload that somebody has saved in an editor, in place of this one. */
async function mended(
  cli: Cli,
  runtime: DomainRuntime,
  found: QueuedLetter,
  { by, reason }: Options,
): Promise<QueuedLetter> {
  const change = {
    ...{ what: "dlq.edit", reason, by: whoIs(by, (name) => cli.io.env(name)) },
    filter: { id: found.id, subscription: found.subscription },
  };
  const signals = listenForStopSignals(runtime.clock);
  try {
    return await audited(runtime, change, async () => {
      const before = payloadText(found);
      const payload = await edited(cli, before);
      if (signals.drain.aborted || payload === before) {
        throw new UsageError("The payload was not changed, so nothing was replayed.");
      }
      const { max_received_bytes: most } = runtime.config.config.server;
      return await replaceLetter(DeadLetterQueues.of(runtime), found, payload, most);
    }, () => ({ count: 1 }));
  } finally {
    signals.dispose();
  }
}

/** Throws `ProteanError` unless it is replayed. */
async function replayOne(
  cli: Cli,
  domain: Domain,
  { id, subscription }: QueuedLetter,
  { toAllGroups, by, reason }: Options,
): Promise<void> {
  const { done, failed: [failed], why } = await domain.deadLetters.replay({ id, subscription }, {
    ...(toAllGroups && { toAllGroups }),
    ...(reason !== undefined && { reason }),
    by: whoIs(by, (name) => cli.io.env(name)),
  });
  if (failed) throw new ProteanError(failed.why, failed.code === undefined ? {} : { code: failed.code });
  if (why !== undefined) throw new ProteanError(why, { code: "DLQ_CUT_SHORT" });
  if (done > 0) return;
  throw new ProteanError(`Failed to replay message '${id}': somebody else replayed or purged it first.`, {
    code: "DLQ_GONE",
  });
}
