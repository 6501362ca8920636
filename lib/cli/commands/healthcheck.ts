/**
 * `healthcheck`: asks a running server whether it is alive; what a container image without a shell uses.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { asError, ProteanError } from "../../errors.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import { addDomainOption, type DomainOptions } from "../options.ts";

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
  let response: Response;
  try {
    response = await fetch(target, {
      signal: AbortSignal.timeout(options.timeout * 1000),
      redirect: "manual",
    });
  } catch (cause) {
    throw new ProteanError(
      `No answer from ${target} within ${options.timeout} s: ${reasonOf(asError(cause))}.`,
      {
        code: "HEALTHCHECK",
        cause,
      },
    );
  }
  const body = (await response.text()).slice(0, 10_000);
  cli.io.out(`${body}\n`);
  if (!response.ok) {
    throw new ProteanError(`${target} answered ${response.status}.`, { code: "HEALTHCHECK" });
  }
}

/** `fetch` tells a chain of reasons in one text; the last link is the one that helps. */
function reasonOf(error: Error): string {
  const { message } = error.cause === undefined ? error : asError(error.cause);
  return message.split(": ").at(-1) ?? message;
}

/** The probe of the server that this configuration starts, seen from the same machine. */
async function ownProbe(cli: Cli, options: DomainOptions): Promise<string> {
  const { readConfig } = await import("../config_search.ts");
  const { host, port } = (await readConfig(cli, options)).config.server.health;
  const reachable = host === "0.0.0.0"
    ? "127.0.0.1"
    : host === "::"
    ? "[::1]"
    : host.includes(":")
    ? `[${host}]`
    : host;
  return `http://${reachable}:${port}/healthz`;
}

function url(value: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new InvalidArgumentError("It must be an http or https URL.");
  }
  return value;
}

function seconds(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number <= 3600)) {
    throw new InvalidArgumentError("It must be a number of seconds, at most 3600.");
  }
  return number;
}
