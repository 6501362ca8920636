/**
 * Brings a command line into the order that the parser knows: the verb first, `server` where there is none.
 * Options may so stand before or after the verb (design 12).
 *
 * @module
 */
import { type Command, CommanderError, type Option } from "commander";
import { didYouMean } from "../config/nearest.ts";
import { UsageError } from "./usage_error.ts";

const HELP = ["-h", "--help"];
const VERSION = ["-V", "--version"];

/** Throws `UsageError` when the first word is no command. */
export function verbFirst(args: readonly string[], program: Command, defaultVerb: string): string[] {
  // `deno task start -- ARGS` hands its `--` on.
  const given = args[0] === "--" ? args.slice(1) : args;
  const options = allOptions(program);
  const verbs: string[] = [];
  const moved: string[] = [];
  let command = program;
  let index = 0;
  for (; index < given.length; index++) {
    const arg = given[index] ?? "";
    if (arg === "--") break;
    if (arg.startsWith("-") && arg !== "-") {
      const option = options.get(arg.split("=", 1)[0] ?? arg);
      // An option that nobody knows may or may not take a value: the parser names it.
      if (!option) break;
      moved.push(arg);
      const next = given[index + 1];
      if (option.required && !arg.includes("=") && next !== undefined) {
        moved.push(next);
        index++;
      }
      continue;
    }
    if (command === program && arg === "help") return [...given];
    const found = command.commands.find((candidate) => candidate.name() === arg);
    if (!found) {
      if (command === program) throw unknownCommand(arg, program);
      break;
    }
    verbs.push(arg);
    command = found;
    if (command.commands.length === 0) {
      index++;
      break;
    }
  }
  const rest = given.slice(index);
  if (verbs.length > 0) return [...verbs, ...moved, ...rest];
  const aboutProgram = [...HELP, ...VERSION].some((flag) => moved.includes(flag));
  return aboutProgram ? [...moved] : [defaultVerb, ...moved, ...rest];
}

/**
 * The error of the parser, which knows the options of one command; where it is about one of another command,
 * that command is named.
 */
export function ownerNamed(thrown: unknown, program: Command): unknown {
  if (!(thrown instanceof CommanderError) || thrown.code !== "commander.unknownOption") return thrown;
  const [, flag = ""] = /'(--?[\w-]+)/.exec(thrown.message) ?? [];
  const owners = ownersOf(flag, program, "");
  if (owners.length === 0) return thrown;
  const more = owners.length > MAX_OWNERS ? " and others" : "";
  const named = owners.slice(0, MAX_OWNERS).map((owner) => `'${owner}'`).join(", ");
  return new UsageError(`Unknown option '${flag}' here: it belongs to ${named}${more}.`);
}

const MAX_OWNERS = 3;

function ownersOf(flag: string, command: Command, path: string): readonly string[] {
  const own = command.options.some(({ short, long }) => flag === short || flag === long) ? [path] : [];
  return [
    ...own,
    ...command.commands.flatMap((child) => ownersOf(flag, child, `${path} ${child.name()}`.trim())),
  ];
}

/** Every option of every command by its flags; the same flag means the same everywhere (tested). */
function allOptions(command: Command): Map<string, Pick<Option, "required">> {
  const found = new Map<string, Pick<Option, "required">>();
  for (const flag of [...HELP, ...VERSION]) found.set(flag, { required: false });
  const visit = (at: Command) => {
    for (const option of at.options) {
      for (const flag of [option.short, option.long]) if (flag) found.set(flag, option);
    }
    at.commands.forEach(visit);
  };
  visit(command);
  return found;
}

function unknownCommand(word: string, program: Command): UsageError {
  const names = program.commands.map((command) => command.name());
  return new UsageError(
    `There is no command '${word}'.${didYouMean(word, names)} See '${program.name()} --help'.`,
  );
}
