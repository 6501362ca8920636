/**
 * `docs/reference/command-line.md`, made from the tree of commands.
 *
 * @module
 */
import type { Argument, Command, Option } from "commander";
import { createCli } from "../lib/cli/cli.ts";
import { examplesOf } from "../lib/cli/examples.ts";
import type { CliIo } from "../lib/cli/io.ts";
import { buildProgram, DEFAULT_VERB, PROGRAM } from "../lib/cli/program.ts";
import { code, table } from "./reference_table.ts";

const HEAD = `<!-- Made by \`deno task docs\` from lib/cli. Do not edit. -->

# The command line

\`${PROGRAM} [command] [options]\`. Without a command it is \`${DEFAULT_VERB}\`. Options may stand before the command or behind it, and \`--name value\` is \`--name=value\`. Every command has \`-h, --help\`, which begins with examples; \`${PROGRAM} --version\` prints the version. From source: \`deno task start -- ARGUMENTS\`.

Data goes to stdout, talk and the log to stderr. With \`--json\` stdout is one envelope, \`{"version","status","data","diagnostics"}\`, also of a failure. \`NO_COLOR\` takes the colours away.

| exit | when |
| --- | --- |
| 0 | fine |
| 1 | findings, such as those of \`check\` or lines that \`send\` could not send; or a failure while running |
| 2 | usage, configuration or environment: another command line, another domain.toml or another machine is needed |
| 4 | the server stopped as it was asked, but work was cut and will be redelivered |

What fails has a code: [errors.md](errors.md).
`;

/** Nothing is read and nothing written: the commands are only looked at. */
const NOBODY: CliIo = {
  out: () => {},
  err: () => {},
  stdin: () => new ReadableStream(),
  ...{ isTerminal: false, errIsTerminal: false, inIsTerminal: false, columns: 80 },
  env: () => undefined,
  cwd: () => "/",
};

/** The text of the page. */
export function commandsPage(): string {
  const demo = { domain: "", command: "", lines: () => Promise.resolve("") };
  const scaffold = () => Promise.resolve({ domain: {}, library: {} });
  const program = buildProgram(
    createCli(NOBODY, { domains: {}, config: () => Promise.resolve(undefined), demo, scaffold }),
  );
  const verbs = program.commands.flatMap((command) => leaves(command, [command.name()]));
  const rows = verbs.map(([path, command]) => [
    `[${code(path.join(" "))}](#${[PROGRAM, ...path].join("-")})`,
    command.description(),
  ]);
  return `${HEAD}\n${table(["command", ""], rows)}${verbs.map(([path, verb]) => part(path, verb)).join("")}`;
}

type Leaf = readonly [path: readonly string[], command: Command];

function leaves(command: Command, path: readonly string[]): readonly Leaf[] {
  if (command.commands.length === 0) return [[path, command]];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

function part(path: readonly string[], command: Command): string {
  const shown = command.options.filter(({ hidden }) => !hidden);
  const examples = examplesOf(command).map(([line, meaning]) => `# ${meaning}\n${PROGRAM} ${line}\n`);
  const usage = [PROGRAM, ...path, ...command.registeredArguments.map(argumentName), "[options]"].join(" ");
  return [
    `\n## ${PROGRAM} ${path.join(" ")}\n\n${command.description()}\n`,
    `\n\`\`\`sh\n${usage}\n\`\`\`\n`,
    ...examples.length > 0 ? [`\n\`\`\`sh\n${examples.join("\n")}\`\`\`\n`] : [],
    ...command.registeredArguments.length > 0
      ? [`\n${table(["argument", ""], command.registeredArguments.map(argumentRow))}`]
      : [],
    ...shown.length > 0 ? [`\n${table(["option", "default", ""], shown.map(optionRow))}`] : [],
  ].join("");
}

function argumentName(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function argumentRow(argument: Argument): string[] {
  return [code(argumentName(argument)), withChoices(argument.description, argument.argChoices)];
}

function optionRow({ flags, mandatory, defaultValue, description, argChoices }: Option): string[] {
  const hasDefault = defaultValue !== undefined && defaultValue !== false &&
    !(Array.isArray(defaultValue) && defaultValue.length === 0);
  const fallback = mandatory && !hasDefault ? "must be given" : hasDefault ? code(String(defaultValue)) : "";
  return [code(flags), fallback, withChoices(description, argChoices)];
}

function withChoices(text: string, choices: readonly string[] | undefined): string {
  return choices ? `${text} (${choices.map(code).join(", ")})` : text;
}
