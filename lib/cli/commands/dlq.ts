/**
 * `dlq`: what could not be handled, found, read, replayed to the group that failed, or thrown away (design
 * 12).
 *
 * @module
 */
import { Command } from "commander";
import { DeadLetterQueues, type LetterFilter, type QueuedLetter } from "../../dlq/queues.ts";
import { ProteanError } from "../../errors.ts";
import { withStatus } from "../../subscription/settings/status_runtime.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
import { letterDetails, letterJson, letterPayload } from "../dead_letter_view.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { addCommonOptions, type DomainOptions, filled, type LogOptions, positive } from "../options.ts";
import { clipped, table } from "../table.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions, LetterFilter {
  readonly limit: number;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function dlqCommand(cli: Cli): Command {
  const group = withExamples(
    new Command("dlq").description("Look after messages that could not be handled."),
    [
      ["dlq list --domain=my_domain", "what there is, the newest first"],
      ["dlq inspect --domain=my_domain 1795356754518-0", "why one failed, and its payload"],
      ["dlq replay --domain=my_domain 1795356754518-0", "hand it to the handler again"],
    ],
  );
  for (const command of [listCommand(cli), inspectCommand(cli), replayCommand(cli), purgeCommand(cli)]) {
    group.addCommand(command);
  }
  return group;
}

function listCommand(cli: Cli): Command {
  const command = withExamples(new Command("list").description("List dead letters, the newest first."), [
    [
      "dlq list --domain=my_domain --subscription my_domain::order --limit 20",
      "the newest of one stream category",
    ],
    ["dlq list --domain=my_domain --handler OrderEventHandler --json", "of one handler, for a program"],
  ]).option("--limit <n>", "at most this many", positive, 100);
  return addFilter(command).action((options: Options) =>
    withQueues(cli, options, (queues) => list(cli, queues, options))
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
    withQueues(cli, options, (queues) => inspect(cli, queues, id, options))
  );
}

function replayCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("replay").description(
      "Hand a message to the group that failed, once more; other groups do not see it.",
    ),
    [["dlq replay --domain=my_domain 1795356754518-0", "one dead letter"]],
  ).argument("<id>", "as `dlq list` shows it", filled).option("--dry-run", "say what would be done");
  return addFilter(command).action((id: string, options: Options) =>
    withQueues(cli, options, (queues) => replay(cli, queues, id, options))
  );
}

function purgeCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("purge").description("Throw dead letters away. They cannot be brought back."),
    [
      ["dlq purge --domain=my_domain --subscription my_domain::order --dry-run", "how many would go"],
      ["dlq purge --domain=my_domain --subscription my_domain::order --yes", "without being asked"],
    ],
  ).option("--dry-run", "say what would be done").option("--yes", "do not ask");
  return addFilter(command, true).action((options: Options) =>
    withQueues(cli, options, (queues) => purge(cli, queues, options))
  );
}

function addFilter(command: Command, subscriptionRequired = false): Command {
  const [flags, meaning] = ["--subscription <category>", "of this stream category"] as const;
  if (subscriptionRequired) command.requiredOption(flags, meaning, filled);
  else command.option(flags, meaning, filled);
  command.option("--handler <name>", "of this handler", filled);
  return addCommonOptions(command);
}

async function withQueues(
  cli: Cli,
  options: Options,
  work: (queues: DeadLetterQueues) => Promise<void>,
): Promise<void> {
  await withDomain(cli, options, (runtime) => work(DeadLetterQueues.of(withStatus(runtime))));
}

async function list(cli: Cli, queues: DeadLetterQueues, options: Options): Promise<void> {
  const letters = await newest(queues, options);
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
async function newest(queues: DeadLetterQueues, options: Options): Promise<readonly QueuedLetter[]> {
  const letters: QueuedLetter[] = [];
  let cursor: string | undefined;
  do {
    const limit = options.limit - letters.length;
    const page = await queues.list({ ...filterOf(options), limit, cursor });
    letters.push(...page.entries);
    cursor = page.cursor;
  } while (cursor !== undefined && letters.length < options.limit);
  return letters;
}

function row({ id, subscription, letter }: QueuedLetter): string[] {
  const failedAt = letter.failedAt?.slice(0, 19).replace("T", " ") ?? "-";
  return [
    id,
    subscription,
    letter.consumerGroup,
    clipped(letter.failureReason, 60),
    failedAt,
    String(letter.retryCount),
  ];
}

async function inspect(cli: Cli, queues: DeadLetterQueues, id: string, options: Options): Promise<void> {
  const found = await queues.find(id, filterOf(options));
  if (options.json) cli.io.out(envelope("pass", { ...letterJson(found), payload: letterPayload(found) }));
  else cli.io.out(letterDetails(cli, found));
}

async function replay(cli: Cli, queues: DeadLetterQueues, id: string, options: Options): Promise<void> {
  const found = await queues.find(id, filterOf(options));
  const outcome = options.dryRun ? "would be replayed" : await queues.replay(found);
  if (outcome === "gone") {
    throw new ProteanError(`Failed to replay message '${id}': somebody else replayed or purged it first.`, {
      code: "DLQ_GONE",
    });
  }
  const { subscription: stream, letter: { consumerGroup: group } } = found;
  if (options.json) cli.io.out(envelope("pass", { dlq_id: id, stream, consumer_group: group, outcome }));
  else cli.io.out(`${options.dryRun ? "Would replay" : "Replayed"} message '${id}' to stream '${stream}'.\n`);
}

async function purge(cli: Cli, queues: DeadLetterQueues, options: Options): Promise<void> {
  const filter = filterOf(options);
  const whose = options.handler === undefined ? "" : ` of ${options.handler}`;
  if (options.dryRun) {
    const count = await queues.count(filter);
    if (options.json) cli.io.out(envelope("pass", { would_purge: count }));
    else cli.io.out(`Would purge ${count} message(s) from DLQ.\n`);
    return;
  }
  // What is named wrongly is told before anybody is asked.
  if (!options.yes) await queues.count(filter);
  const question =
    `Purge all DLQ messages${whose} for subscription '${options.subscription}'? This cannot be undone.`;
  if (!await confirm(cli, question, options.yes)) {
    cli.io.err("Nothing was purged.\n");
    return;
  }
  const purged = await queues.purge(filter);
  if (options.json) cli.io.out(envelope("pass", { purged }));
  else cli.io.out(`Purged ${purged} message(s) from DLQ.\n`);
}

function filterOf({ subscription, handler }: Options): LetterFilter {
  return { ...(subscription !== undefined && { subscription }), ...(handler !== undefined && { handler }) };
}
