/**
 * `dlq stats`: how many dead letters there are, what they failed of, and what people have noted of that.
 *
 * @module
 */
import { Command } from "commander";
import type { DeadLetterStats } from "../../domain/dead_letters.ts";
import type { Domain } from "../../domain/domain.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import type { Cli } from "../cli.ts";
import { addFilter, filterOf, type FilterOptions } from "../dlq_filter.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { positive } from "../options.ts";
import { clipped, table } from "../table.ts";
import { toTheSecond } from "../times.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends FilterOptions {
  readonly limit?: number;
}

export function statsCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("stats").description(
      "Count dead letters by queue and by what they failed of.",
    ),
    [
      ["dlq stats --domain=my_domain", "every queue"],
      ["dlq stats --domain=my_domain --handler OrderEventHandler --since 24h", "one handler since yesterday"],
    ],
  ).option(
    "--limit <n>",
    "read the newest n of each queue, at most 10000, instead of what is counted",
    positive,
  );
  return addFilter(command).action((options: Options) =>
    withDomain(cli, options, (runtime, domain) => stats(cli, runtime, domain, options))
  );
}

async function stats(cli: Cli, runtime: DomainRuntime, domain: Domain, options: Options): Promise<void> {
  const { limit } = options;
  const filter = filterOf(options, runtime.clock.now());
  const queues = await domain.deadLetters.stats({ ...filter, ...(limit !== undefined && { limit }) });
  if (options.json) {
    cli.io.out(envelope("pass", { queues: queues.map(queueJson) }));
    return;
  }
  cli.io.out(
    await table(
      cli,
      ["DLQ Stream", "Depth", "Oldest", "Newest"],
      queues.map(({ dlqStream, depth, oldest, newest }) => [
        dlqStream,
        String(depth),
        seconds(oldest),
        seconds(newest),
      ]),
    ),
  );
  const isRead = limit !== undefined || filter.since !== undefined || filter.until !== undefined;
  for (const queue of queues) await groups(cli, queue, isRead);
}

/** `isRead`: the groups are of the newest letters, which were looked at. */
async function groups(
  cli: Cli,
  { dlqStream, depth, counted, groups }: DeadLetterStats,
  isRead: boolean,
): Promise<void> {
  const part = isRead ? `, of the newest ${counted}` : `, without ${depth - counted} not counted yet`;
  const partial = counted < depth ? part : "";
  if (groups.length === 0) {
    if (partial !== "" && !isRead) cli.io.out(`\nFailures in ${dlqStream}${partial}.\n`);
    return;
  }
  const noted = groups.some(({ note }) => note !== undefined);
  cli.io.out(`\nFailures in ${dlqStream}${partial}:\n`);
  cli.io.out(
    await table(
      cli,
      ["Group", "Handler", "Error", "Message Type", "Count", "First", "Last", ...noted ? ["Note"] : []],
      groups.map(({ fingerprint, handler, errorType, type, count, first, last, note = "" }) => [
        ...[fingerprint, clipped(handler, 40), clipped(errorType, 40), clipped(type, 60), String(count)],
        ...[seconds(first), seconds(last), ...noted ? [clipped(note, 80)] : []],
      ]),
    ),
  );
}

function seconds(time: Date | undefined): string {
  return time ? toTheSecond(time.toISOString()) : "-";
}

function queueJson({ dlqStream, subscription, depth, oldest, newest, counted, groups }: DeadLetterStats) {
  return {
    dlq_stream: dlqStream,
    ...{ subscription, depth },
    oldest: oldest?.toISOString() ?? null,
    newest: newest?.toISOString() ?? null,
    counted,
    groups: groups.map((group) => ({
      fingerprint: group.fingerprint,
      handler: group.handler,
      error_type: group.errorType,
      message_type: group.type,
      count: group.count,
      first: group.first.toISOString(),
      last: group.last.toISOString(),
      note: group.note ?? null,
    })),
  };
}
