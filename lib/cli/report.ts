/**
 * From whatever went wrong to one clear sentence and an exit code (design 9).
 *
 * @module
 */
import { CommanderError } from "commander";
import { maskText } from "../config/secrets.ts";
import { printableLines } from "../config/visible.ts";
import {
  asError,
  ConfigurationError,
  type ConfigurationProblem,
  DomainLoadError,
  ProteanError,
} from "../errors.ts";
import { describeError } from "../message/describe_error.ts";
import { UsageError } from "./usage_error.ts";
import type { Cli } from "./cli.ts";
import { envelope } from "./envelope.ts";

/** Everything went as asked. */
export const EXIT_OK = 0;
/** Findings, or a failure while running. */
export const EXIT_FAILURE = 1;
/** Usage, configuration or environment. */
export const EXIT_USAGE = 2;

/** Longest stack, in bytes. */
const MAX_STACK = 65_536;

/** Tells the user what went wrong and returns the exit code. The stack is for those who debug. */
export function report(cli: Cli, thrown: unknown, args: readonly string[]): number {
  const given = asError(thrown);
  if (given instanceof CommanderError) {
    if (given.exitCode === 0) return EXIT_OK;
    // A group without its verb has shown its help, and that is its message.
    if (given.code === "commander.help") return EXIT_USAGE;
  }
  const error = given instanceof CommanderError ? usageError(given) : given;
  const { message, problems } = problemsOf(error);
  if (wantsJson(args)) cli.io.out(envelope("error", { error: message }, problems));
  cli.io.err(`${cli.errColors.red("Error:")} ${printableLines(message)}\n`);
  if (wantsStack(cli, args)) {
    cli.io.err(`${printableLines(maskText(describeError(error, MAX_STACK).stack))}\n`);
  }
  return isUsage(error) ? EXIT_USAGE : EXIT_FAILURE;
}

/** Whether trying again as told would end in the same way: usage, configuration or environment. */
export function isUsage(error: unknown): boolean {
  return error instanceof ConfigurationError || error instanceof DomainLoadError ||
    error instanceof UsageError;
}

/** What a failure is in a sentence and one by one, without secrets. */
export function problemsOf(
  thrown: unknown,
): { readonly message: string; readonly problems: readonly ConfigurationProblem[] } {
  const error = asError(thrown);
  const message = maskText(error.message);
  const problems = error instanceof ConfigurationError && error.problems.length > 0
    ? error.problems.map((problem) => ({ ...problem, message: maskText(problem.message) }))
    : [{ code: error instanceof ProteanError ? error.code : "UNEXPECTED", message }];
  return { message, problems };
}

/** `--json`, or `check --format json` in one of its spellings. */
function wantsJson(args: readonly string[]): boolean {
  if (args.includes("--json") || args.includes("--format=json") || args.includes("-fjson")) return true;
  return args.some((arg, at) => (arg === "--format" || arg === "-f") && args[at + 1] === "json");
}

/** The parser's message as a sentence of ours: `error: unknown option '--x'\n(Did you mean --y?)`. */
function usageError(error: CommanderError): UsageError {
  const [what = "", hint] = error.message.replace(/^error: /, "")
    .replace(/\. Expected (\d+) arguments? but got (\d+)/, ": expected $1 but got $2")
    .replace(/ is invalid\. (\w)/, (_, first: string) => ` is invalid: ${first.toLowerCase()}`)
    .split("\n");
  const sentence = what.charAt(0).toUpperCase() + what.slice(1).replace(/\.$/, "");
  return new UsageError(`${sentence}.${hint ? ` ${hint.replace(/^\(|\)$/g, "")}` : ""}`);
}

function wantsStack(cli: Cli, args: readonly string[]): boolean {
  const text = args.join(" ").toLowerCase();
  const flag = /--log-level[= ](\w+)/.exec(text)?.[1];
  const level = flag ?? cli.io.env("PROTEAN_LOG_LEVEL")?.toLowerCase();
  return level === "debug" || level === "trace";
}
