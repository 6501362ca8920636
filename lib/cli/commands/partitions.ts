/**
 * `subscriptions partitions`: keys at which handlers with `sequentialBy` stand still, and what sets one going
 * again.
 *
 * @module
 */
import { Command } from "commander";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { type HaltedKey, HaltedKeys } from "../../dlq/halted.ts";
import { audited, whoIs } from "../../operations/audit.ts";
import { deadLetterStream } from "../../message/names.ts";
import { partitionStream } from "../../message/partitions.ts";
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
import { clipped, table } from "../table.ts";
import { toTheSecond } from "../times.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly subscription?: string;
  readonly skip?: string;
  readonly deadLetter?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

export function partitionsCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("partitions").description(
      "List keys that stand still because their first message fails, or set one going.",
    ),
    [
      ["subscriptions partitions --domain=my_domain", "all that stand still"],
      [
        "subscriptions partitions --domain=my_domain --subscription OrderEventHandler --dead-letter o-42",
        "the message can be replayed later",
      ],
      [
        "subscriptions partitions --domain=my_domain --subscription OrderEventHandler --skip o-42",
        "asks first: the message is gone for this handler",
      ],
    ],
  )
    .option("--subscription <name>", "of this handler, consumer group or stream category", filled)
    .option("--skip <key>", "leave out the message at which this key stands still")
    .option("--dead-letter <key>", "move that message to the dead letters of its category")
    .option("--yes", "do not ask");
  return addCommonOptions(addActor(command)).action(async (options: Options) => {
    const wanted = [options.skip, options.deadLetter].filter((key) => key !== undefined);
    if (wanted.length > 1) throw new UsageError("Give --skip or --dead-letter, not both.");
    if (wanted.length > 0 && options.subscription === undefined) {
      throw new UsageError(
        "Say whose key is meant with --subscription: each handler stands still by itself.",
      );
    }
    await withDomain(cli, options, (runtime) => run(cli, runtime, options));
  });
}

async function run(cli: Cli, runtime: DomainRuntime, options: Options): Promise<void> {
  const keys = new HaltedKeys(runtime);
  const { subscription = "", skip, deadLetter } = options;
  const key = skip ?? deadLetter;
  if (key === undefined) return await list(cli, await keys.list(options.subscription), options);
  const change = {
    ...{ what: `partitions.${skip === undefined ? "dead-letter" : "skip"}`, reason: options.reason },
    ...{ by: whoIs(options.by, (name) => cli.io.env(name)), filter: { subscription, key } },
  };
  const halted = await audited(runtime, change, async () => {
    const found = await keys.find(subscription, key);
    if (skip === undefined) await keys.deadLetter(found, runtime.config.config.server.max_received_bytes);
    else {
      const question = `Skip entry ${found.halt.id} of '${streamOf(found)}' for ${found.handler}? ` +
        "It cannot be brought back.";
      if (!await confirm(cli, question, options.yes)) return undefined;
      await keys.skip(found);
    }
    return found;
  }, (found) => ({ count: found ? 1 : 0 }));
  if (!halted) return cli.io.err("Nothing was skipped.\n");
  const outcome = skip === undefined ? "dead_lettered" : "skipped";
  if (options.json) return cli.io.out(envelope("pass", { ...json(halted), outcome }));
  const what = `entry ${halted.halt.id} of '${streamOf(halted)}' for ${halted.handler}`;
  cli.io.out(
    skip === undefined
      ? `Moved ${what} to '${deadLetterStream(halted.category)}'; key '${key}' goes on with the next one.\n`
      : `Skipped ${what}; key '${key}' goes on with the next one.\n`,
  );
}

async function list(cli: Cli, halted: readonly HaltedKey[], { json: asJson }: Options): Promise<void> {
  if (asJson) {
    return cli.io.out(envelope("pass", { partitions: halted.map(json), count: halted.length }));
  }
  if (halted.length === 0) return cli.io.out("No key stands still.\n");
  const titles = ["Handler", "Stream", "Key", "Entry", "Attempts", "Error", "Since"];
  cli.io.out(
    await table(
      cli,
      titles,
      halted.map(({ handler, category, key, halt }) => [
        ...[handler, category, key, halt.id, String(halt.attempts)],
        clipped(`${halt.error_type}: ${halt.error_message}`, 60),
        toTheSecond(halt.halted_at),
      ]),
    ),
  );
  cli.io.out(`\n${halted.length} key(s) stand still.\n`);
}

function streamOf({ category, key }: HaltedKey): string {
  return partitionStream(category, key);
}

function json({ handler, group, category, key, halt }: HaltedKey) {
  return {
    handler_name: handler,
    consumer_group: group,
    stream_category: category,
    key,
    entry_id: halt.id,
    attempts: halt.attempts,
    error_type: halt.error_type,
    error_message: halt.error_message,
    halted_at: halt.halted_at,
    owner: halt.owner,
  };
}
