/**
 * `send`: commands and events from the command line into the domain (design 12).
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { type Clock, sleep } from "../../clock.ts";
import { didYouMean } from "../../config/nearest.ts";
import type { Domain } from "../../domain/domain.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import type { MessageType } from "../../domain/types.ts";
import { asError, UnavailableError } from "../../errors.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { withDomain } from "../open_domain.ts";
import {
  addDomainOption,
  addJsonOption,
  addLogOptions,
  type DomainOptions,
  type LogOptions,
} from "../options.ts";
import { Progress } from "../progress.ts";
import { EXIT_FAILURE } from "../report.ts";
import { openPayloads } from "../send_source.ts";
import { printable } from "../table.ts";
import { UsageError } from "../usage_error.ts";

interface Options extends DomainOptions, LogOptions {
  readonly data?: string;
  readonly file?: string;
  readonly rate?: number;
  readonly sync?: boolean;
  readonly id?: string;
  readonly json?: boolean;
}

/** What `--json` prints. */
interface Summary {
  readonly message: string;
  sent: number;
  refused: number;
  /** The first of them, by line. */
  readonly refusals: { readonly line: number; readonly reason: string }[];
}

/** Refusals that the envelope lists; all of them are told on stderr. */
const MAX_REFUSALS = 100;

export function sendCommand(cli: Cli): Command {
  const command = new Command("send")
    .description(
      "Send commands or publish events, one JSON payload a line. Commands are done when they are committed to the outbox.",
    )
    .argument("<message>", "name or type string of a command or event: PlaceOrder, MyDomain.PlaceOrder.v1")
    .argument("[source]", "- reads payloads from stdin")
    .option("--data <json>", "one payload")
    .option("--file <file>", "payloads, one a line; blank lines are skipped")
    .option("--rate <n>", "at most this many a second", rate)
    .option("--sync", "run the command handler here and wait for it")
    .option("--id <id>", "publish events on the stream of this id");
  addJsonOption(addLogOptions(addDomainOption(command)));
  return withExamples(command, [
    [`send --domain=my_domain PlaceOrder --data '{"orderId":"o-1","amount":10}'`, "one command"],
    [
      "send --domain=my_domain PlaceOrder --file orders.jsonl --rate 100",
      "a file of them, a hundred a second",
    ],
    ["send --domain=my_domain PlaceOrder -", "whatever comes on stdin"],
  ]).action((message: string, source: string | undefined, options: Options) =>
    send(cli, message, source, options)
  );
}

async function send(cli: Cli, name: string, source: string | undefined, options: Options): Promise<void> {
  if (source !== undefined && source !== "-") {
    throw new UsageError(`'${source}' is no source of data: use -, --data JSON or --file F.jsonl.`);
  }
  const payloads = await openPayloads(cli.io, {
    stdin: source === "-",
    ...(options.data !== undefined && { data: options.data }),
    ...(options.file !== undefined && { file: options.file }),
  });
  await withDomain(cli, options, async (runtime, domain) => {
    const type = messageType(runtime, name, options);
    const deliver = deliverer(domain, type, options);
    const pace = pacer(runtime.clock, options.rate);
    const progress = new Progress(cli, runtime.clock);
    const summary: Summary = { message: type.typeString, sent: 0, refused: 0, refusals: [] };
    // One after the other: the lines of one stream keep their order.
    for await (const line of payloads.lines) {
      if ("text" in line && line.text.trim() === "") continue;
      await pace();
      try {
        await deliver(payload(line));
        summary.sent++;
      } catch (thrown) {
        const error = asError(thrown);
        progress.clear();
        refuse(cli, summary, line.number, error);
        if (error instanceof UnavailableError) {
          cli.io.err(`Stopped: nothing from line ${line.number} on was sent.\n`);
          break;
        }
      }
      progress.update(`${summary.sent} sent, ${summary.refused} refused`, payloads.fraction());
    }
    progress.clear();
    if (summary.refused > 0) cli.exitCode = EXIT_FAILURE;
    conclude(cli, summary, options);
  });
}

function messageType(runtime: DomainRuntime, name: string, options: Options): MessageType {
  const type = runtime.messageType(name);
  if (!type) {
    const hint = didYouMean(name, runtime.messageNames, 3) || ` It knows ${runtime.messageNames.join(", ")}.`;
    throw new UsageError(`The domain '${runtime.name}' has no message '${name}'.${hint}`, {
      code: "UNKNOWN_MESSAGE",
    });
  }
  if (type.kind === "command" && options.id !== undefined) {
    throw new UsageError(
      `--id is for events: '${type.name}' is a command, and its payload says which stream it is for.`,
    );
  }
  if (type.kind === "event" && options.sync) {
    throw new UsageError(
      `--sync is for commands: '${type.name}' is an event, and its handlers run in the server.`,
    );
  }
  return type;
}

/** Sends one payload: events are published, commands follow `command_processing` unless `--sync` is given. */
function deliverer(
  domain: Domain,
  type: MessageType,
  { id, sync }: Options,
): (data: unknown) => Promise<unknown> {
  if (type.kind === "event") return (data) => domain.publish(type, data, id === undefined ? {} : { id });
  return (data) => domain.process(type, data, sync ? { asynchronous: false } : {});
}

function payload(line: { text: string } | { problem: string }): unknown {
  if ("problem" in line) throw new UsageError(`the line is ${line.problem}`);
  try {
    return JSON.parse(line.text);
  } catch (cause) {
    throw new UsageError(`not valid JSON: ${asError(cause).message}`, { cause });
  }
}

function refuse(cli: Cli, summary: Summary, line: number, error: Error): void {
  const reason = printable(error.message);
  cli.io.err(`line ${line}: ${reason}\n`);
  summary.refused++;
  if (summary.refusals.length < MAX_REFUSALS) summary.refusals.push({ line, reason });
}

function conclude(cli: Cli, summary: Summary, { json }: Options): void {
  if (json) cli.io.out(envelope(summary.refused > 0 ? "fail" : "pass", summary));
  else cli.io.out(`${summary.sent} sent, ${summary.refused} refused: ${summary.message}.\n`);
}

/** Waits until the next message may go: the n-th starts no sooner than (n - 1) / rate seconds after the first. */
function pacer(clock: Clock, perSecond: number | undefined): () => Promise<void> {
  let next = clock.monotonic();
  return async () => {
    if (perSecond === undefined) return;
    const wait = next - clock.monotonic();
    if (wait > 0) await sleep(clock, wait);
    // A slow stretch is not made up for by a burst.
    next = Math.max(next, clock.monotonic() - 1_000) + 1_000 / perSecond;
  };
}

function rate(value: string): number {
  const number = Number(value);
  if (!(number > 0 && Number.isFinite(number))) {
    throw new InvalidArgumentError("It must be a number above 0.");
  }
  return number;
}
