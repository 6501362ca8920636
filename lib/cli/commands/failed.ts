/**
 * `subscriptions failed`: messages of the event store that have failed, and what becomes of one.
 *
 * @module
 */
import { Command } from "commander";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { FailedMessages, type FailedOne } from "../../dlq/failed_messages.ts";
import { timeText } from "../../message/time.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { addCommonOptions, type DomainOptions, filled, type LogOptions } from "../options.ts";
import { table } from "../table.ts";
import { toTheSecond } from "../times.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly subscription?: string;
  readonly retry?: string;
  readonly skip?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

export function failedCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("failed").description(
      "List messages of the event store that have failed; have one tried again, or leave it out.",
    ),
    [
      ["subscriptions failed --domain=my_domain", "all, of all handlers that read the event store"],
      [
        "subscriptions failed --domain=my_domain --subscription OrderProjector --retry 42",
        "its server tries it at its next recovery pass",
      ],
      [
        "subscriptions failed --domain=my_domain --subscription OrderProjector --skip 42",
        "asks first: this handler never handles it",
      ],
    ],
  )
    .option("--subscription <name>", "of this handler, consumer group or stream category", filled)
    .option("--retry <position>", "have the message at this global position tried again")
    .option("--skip <position>", "leave that message out for this handler")
    .option("--yes", "do not ask");
  return addCommonOptions(command).action(async (options: Options) => {
    const wanted = [options.retry, options.skip].filter((position) => position !== undefined);
    if (wanted.length > 1) throw new UsageError("Give --retry or --skip, not both.");
    if (wanted.some((position) => !/^\d{1,15}$/.test(position))) {
      throw new UsageError(
        `A global position is a whole number, as \`subscriptions failed\` shows it: ${wanted}.`,
      );
    }
    if (wanted.length > 0 && options.subscription === undefined) {
      throw new UsageError("Say whose message is meant with --subscription: each handler fails by itself.");
    }
    await withDomain(cli, options, (runtime) => run(cli, runtime, options));
  });
}

async function run(cli: Cli, runtime: DomainRuntime, options: Options): Promise<void> {
  const messages = new FailedMessages(runtime);
  const { subscription = "", retry, skip } = options;
  const position = retry ?? skip;
  if (position === undefined) return await list(cli, await messages.list(options.subscription), options);
  const found = await messages.find(subscription, Number(position));
  const what = `message '${found.failure.id}' at position ${position} for ${found.handler}`;
  if (skip !== undefined) {
    const question = `Leave out ${what}? It stays in the event store and is never handled.`;
    if (!await confirm(cli, question, options.yes)) return cli.io.err("Nothing was left out.\n");
    await messages.skip(found);
  } else await messages.retry(found);
  if (options.json) {
    return cli.io.out(
      envelope("pass", { ...json(found), outcome: skip === undefined ? "retried" : "skipped" }),
    );
  }
  cli.io.out(
    skip === undefined
      ? `Recorded that ${what} is to be tried again: at the next recovery pass of its server, or when it starts.\n`
      : `Left out ${what}.\n`,
  );
}

async function list(cli: Cli, failed: readonly FailedOne[], options: Options): Promise<void> {
  if (options.json) return cli.io.out(envelope("pass", { failed: failed.map(json), count: failed.length }));
  if (failed.length === 0) return cli.io.out("No message of the event store has failed.\n");
  const titles = ["Handler", "Stream", "Position", "Type", "Message", "Retries", "State", "Since"];
  cli.io.out(
    await table(
      cli,
      titles,
      failed.map(({ handler, category, failure }) => [
        ...[handler, category, String(failure.position), failure.type, failure.id],
        ...[String(failure.retryCount), state(failure), toTheSecond(since(failure))],
      ]),
    ),
  );
  const over = failed.filter(({ failure }) => failure.isExhausted).length;
  cli.io.out(`\n${failed.length} message(s) have failed, ${over} of them are not tried again.\n`);
}

function json({ handler, group, category, failure }: FailedOne) {
  return {
    handler_name: handler,
    consumer_group: group,
    stream_category: category,
    position: failure.position,
    message_type: failure.type,
    message_id: failure.id,
    stream_name: failure.stream ?? null,
    stream_position: failure.streamPosition ?? null,
    retry_count: failure.retryCount,
    state: state(failure),
    recorded_at: since(failure),
  };
}

function state({ isExhausted }: FailedOne["failure"]): string {
  return isExhausted ? "exhausted" : "retrying";
}

function since({ time }: FailedOne["failure"]): string {
  return timeText(time);
}
