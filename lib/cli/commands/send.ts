/**
 * `send`: commands and events from the command line into the domain (design 12).
 *
 * @module
 */
import { Command } from "commander";
import type { Clock } from "../../async/clock.ts";
import { pacer } from "../../async/pacer.ts";
import { didYouMean } from "../../config/nearest.ts";
import { maskText } from "../../config/secrets.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import type { MessageType } from "../../domain/types.ts";
import { asError, ConfigurationError } from "../../errors.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { aboveZero, addCommonOptions, type DomainOptions, filled, type LogOptions } from "../options.ts";
import { Progress } from "../progress.ts";
import { EXIT_FAILURE, EXIT_USAGE } from "../report.ts";
import { openPayloads, type Payloads } from "../send_source.ts";
import { Sender } from "../sender.ts";
import { printable } from "../../config/visible.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly data?: string;
  readonly file?: string;
  readonly rate?: number;
  readonly sync?: boolean;
  readonly id?: string;
  readonly json?: boolean;
}

/** A line that was not sent. */
interface Refusal {
  readonly line: number;
  readonly reason: string;
}

/** Lines in one transaction: many share the cost of making it durable. */
const BATCH = 100;
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
    .option("--file <file>", "payloads, one a line; blank lines are skipped", filled)
    .option("--rate <n>", "at most this many a second", aboveZero)
    .option("--sync", "run the command handler here and wait for it")
    .option("--id <id>", "publish events on the stream of this id", filled);
  addCommonOptions(command);
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

async function send(
  cli: Cli,
  name: string,
  source: string | undefined,
  options: Options,
): Promise<void> {
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
    const progress = new Progress(cli, runtime.clock);
    const refusals: Refusal[] = [];
    const sender = new Sender({
      domain,
      type,
      sync: type.kind === "command" &&
        (options.sync === true || runtime.config.config.command_processing === "sync"),
      id: options.id,
      refuse: (line, error) => {
        const reason = printable(maskText(error.message));
        progress.clear();
        cli.io.err(`line ${line}: ${reason}\n`);
        if (refusals.length < MAX_REFUSALS) refusals.push({ line, reason });
      },
    });
    const show = () => progress.update(`${sender.sent} sent, ${sender.refused} refused`, payloads.fraction());
    const stopped = await sendAll(sender, payloads, runtime.clock, options.rate, show);
    progress.clear();
    if (stopped) {
      cli.io.err(
        `Stopped at line ${stopped.line}, send the rest again from there: ${
          printable(maskText(stopped.error.message))
        }\n`,
      );
    }
    const failed = sender.refused > 0 || stopped !== undefined;
    if (failed) cli.exitCode = stopped?.error instanceof ConfigurationError ? EXIT_USAGE : EXIT_FAILURE;
    const { sent, refused } = sender;
    if (options.json) {
      const data = { message: type.typeString, sent, refused, refusals, stopped_at: stopped?.line ?? null };
      cli.io.out(envelope(failed ? "fail" : "pass", data));
    } else cli.io.out(`${sent} sent, ${refused} refused: ${type.typeString}.\n`);
  });
}

/**
 * Sends every line that is not blank. Returns where it stopped because the backend went away or refused us.
 */
async function sendAll(
  sender: Sender,
  payloads: Payloads,
  clock: Clock,
  rate: number | undefined,
  show: () => void,
): Promise<{ readonly line: number; readonly error: Error } | undefined> {
  const pace = pacer(clock, rate);
  const size = rate === undefined ? BATCH : 1;
  for await (const arrived of payloads.batches) {
    const lines = arrived.filter((line) => "problem" in line || line.text.trim() !== "");
    for (let start = 0; start < lines.length; start += size) {
      const batch = lines.slice(start, start + size);
      await pace();
      try {
        await sender.send(batch);
      } catch (thrown) {
        return { line: sender.at, error: asError(thrown) };
      }
      show();
    }
  }
  return undefined;
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
