/**
 * `healthcheck`: asks a running server whether it is alive; what a container image without a shell uses.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { printableLines } from "../../config/visible.ts";
import { asError, ProteanError } from "../../errors.ts";
import type { Cli } from "../cli.ts";
import { type Answer, getDirectly } from "../direct_get.ts";
import { withExamples } from "../examples.ts";
import { addDomainOption, type DomainOptions } from "../options.ts";
import { UsageError } from "../usage_error.ts";

interface Options extends DomainOptions {
  readonly url?: string;
  readonly timeout: number;
}

export function healthcheckCommand(cli: Cli): Command {
  const command = new Command("healthcheck")
    .description("Ask a running server whether it is alive: exit 0 when it is, 1 when it is not.")
    .option("--url <url>", "the probe to ask (default: /healthz on the port of [server.health])", url)
    .option("--timeout <seconds>", "how long to wait for the answer", seconds, 3);
  return withExamples(addDomainOption(command), [
    ["healthcheck", "is the server on this machine alive?"],
    ["healthcheck --url http://127.0.0.1:8080/readyz", "is it ready for messages?"],
  ]).action((options: Options) => check(cli, options));
}

async function check(cli: Cli, options: Options): Promise<void> {
  const target = options.url ?? await ownProbe(cli, options);
  const named = withoutUser(target);
  let answer: Answer;
  try {
    answer = await getDirectly(target, options.timeout * 1000);
  } catch (cause) {
    throw new ProteanError(
      `No answer from ${named} within ${options.timeout} s: ${asError(cause).message.replace(/\.$/, "")}.`,
      { code: "HEALTHCHECK", cause },
    );
  }
  cli.io.out(`${printableLines(answer.body)}\n`);
  if (answer.status < 200 || answer.status > 299) {
    throw new ProteanError(`${named} answered ${answer.status}.`, { code: "HEALTHCHECK" });
  }
}

/** The probe of the server that this configuration starts, seen from the same machine. */
async function ownProbe(cli: Cli, options: DomainOptions): Promise<string> {
  const { readConfig } = await import("../config_search.ts");
  const { host, port } = (await readConfig(cli, options)).config.server.health;
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const reachable = bare === "0.0.0.0"
    ? "127.0.0.1"
    : bare === "::"
    ? "[::1]"
    : bare.includes(":")
    ? `[${bare}]`
    : bare;
  return `http://${reachable}:${port}/healthz`;
}

/** Whoever asks has a user of their own, or none; it is nobody else's business. */
function withoutUser(target: string): string {
  const shown = new URL(target);
  [shown.username, shown.password] = ["", ""];
  return shown.href;
}

function url(value: string): string {
  if (!URL.canParse(value) || !/^https?:/i.test(value)) {
    // Not by commander, which would repeat the value.
    throw new UsageError("'--url' must be an http or https URL, such as http://127.0.0.1:8080/readyz.");
  }
  return value;
}

function seconds(value: string): number {
  const number = /^\d*\.?\d+$/.test(value) ? Number(value) : 0;
  if (!(number > 0 && number <= 3600)) {
    throw new InvalidArgumentError("It must be a number of seconds, at most 3600.");
  }
  return number;
}
