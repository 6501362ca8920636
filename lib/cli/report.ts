/**
 * From whatever went wrong to one clear sentence and an exit code (design 9).
 *
 * @module
 */
import { CommanderError } from "commander";
import { asError, ConfigurationError, DomainLoadError, ProteanError } from "../errors.ts";
import { UsageError } from "./usage_error.ts";
import type { Cli } from "./cli.ts";
import { envelope } from "./envelope.ts";

/** Everything went as asked. */
export const EXIT_OK = 0;
/** Findings, or a failure while running. */
export const EXIT_FAILURE = 1;
/** Usage, configuration or environment. */
export const EXIT_USAGE = 2;

/** Tells the user what went wrong and answers the exit code. The stack is for those who debug. */
export function report(cli: Cli, thrown: unknown, args: readonly string[]): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return EXIT_OK;
    // A group without its verb has shown its help, and that is its message.
    if (thrown.code === "commander.help") return EXIT_USAGE;
  }
  const error = thrown instanceof CommanderError ? usageError(thrown) : asError(thrown);
  const problems = error instanceof ConfigurationError && error.problems.length > 0
    ? error.problems
    : [{ code: error instanceof ProteanError ? error.code : "UNEXPECTED", message: error.message }];
  if (args.includes("--json")) cli.io.out(envelope("error", { error: error.message }, problems));
  cli.io.err(`${cli.errColors.red("Error:")} ${error.message}\n`);
  if (wantsStack(cli, args)) cli.io.err(`${stackOf(error)}\n`);
  const usage = error instanceof ConfigurationError || error instanceof DomainLoadError ||
    error instanceof UsageError;
  return usage ? EXIT_USAGE : EXIT_FAILURE;
}

/** The parser's message as a sentence of ours: `error: unknown option '--x'\n(Did you mean --y?)`. */
function usageError(error: CommanderError): UsageError {
  const [what = "", hint] = error.message.replace(/^error: /, "").split("\n");
  const sentence = what.charAt(0).toUpperCase() + what.slice(1).replace(/\.$/, "");
  return new UsageError(`${sentence}.${hint ? ` ${hint.replace(/^\(|\)$/g, "")}` : ""}`);
}

function wantsStack(cli: Cli, args: readonly string[]): boolean {
  const text = args.join(" ").toLowerCase();
  const flag = /--log-level[= ](\w+)/.exec(text)?.[1];
  const level = flag ?? cli.io.env("PROTEAN_LOG_LEVEL")?.toLowerCase();
  return level === "debug" || level === "trace";
}

function stackOf(error: Error): string {
  const cause = error.cause === undefined ? "" : `\nCaused by: ${stackOf(asError(error.cause))}`;
  return `${error.stack ?? error.message}${cause}`;
}
