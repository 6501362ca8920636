/**
 * `completion`: scripts that complete commands and options in a shell, written from the tree of commands.
 *
 * @module
 */
import { Argument, Command } from "commander";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** One command of the tree: the words that lead to it, and what may follow. */
interface Node {
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly meaning: string }[];
}

/** @param defaultVerb The command whose options may follow the program's name. */
export function completionCommand(cli: Cli, program: Command, defaultVerb: string): Command {
  const command = new Command("completion").description("Print a completion script for a shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS));
  return withExamples(command, [
    ["completion bash >> ~/.bashrc", "complete in bash"],
    ["completion zsh > ~/.zfunc/_protean-server", "complete in zsh, with ~/.zfunc in $fpath"],
    ["completion fish > ~/.config/fish/completions/protean-server.fish", "complete in fish"],
  ]).action((shell: typeof SHELLS[number]) => {
    cli.io.out(SCRIPTS[shell](program.name(), withDefault(nodes(program), defaultVerb)));
  });
}

function nodes(command: Command, path: readonly string[] = []): Node[] {
  const words = [
    ...command.commands.map((child) => ({ word: child.name(), meaning: child.description() })),
    ...command.options.flatMap((
      { long, description, hidden },
    ) => (long && !hidden ? [{ word: long, meaning: description }] : [])),
    ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []).map((word) => ({
      word,
      meaning: "",
    })),
    { word: "--help", meaning: "show help" },
  ];
  return [{ path, words }, ...command.commands.flatMap((child) => nodes(child, [...path, child.name()]))];
}

/** Without a verb the options of the default one may be typed. */
function withDefault(all: readonly Node[], defaultVerb: string): readonly Node[] {
  const options = all.find(({ path }) => path.length === 1 && path[0] === defaultVerb)?.words ?? [];
  return all.map((node) =>
    node.path.length > 0 ? node : {
      path: node.path,
      words: [...node.words, ...options.filter(({ word }) => !node.words.some((own) => own.word === word))],
    }
  );
}

const SCRIPTS: Readonly<Record<typeof SHELLS[number], (program: string, nodes: readonly Node[]) => string>> =
  {
    bash: (program, all) => {
      const name = functionName(program);
      return [
        `${name}() {`,
        `  local word path="" choices=""`,
        `  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do`,
        `    [[ ${quoted(known(all))} == *"|\${path:+$path }$word|"* ]] && path="\${path:+$path }$word"`,
        `  done`,
        `  case "$path" in`,
        ...all.map(({ path, words }) =>
          `    "${path.join(" ")}") choices="${words.map(({ word }) => word).join(" ")}" ;;`
        ),
        `  esac`,
        `  COMPREPLY=($(compgen -W "$choices" -- "\${COMP_WORDS[COMP_CWORD]}"))`,
        `}`,
        `complete -o default -F ${name} ${program}`,
        "",
      ].join("\n");
    },
    zsh: (program, all) => {
      const name = functionName(program);
      return [
        `#compdef ${program}`,
        `${name}() {`,
        `  local word spoken=""`,
        `  local -a choices`,
        `  for word in "\${(@)words[2,CURRENT-1]}"; do`,
        `    [[ ${
          quoted(known(all))
        } == *"|\${spoken:+$spoken }$word|"* ]] && spoken="\${spoken:+$spoken }$word"`,
        `  done`,
        `  case "$spoken" in`,
        ...all.map(({ path, words }) => {
          const choices = words.map(({ word, meaning }) => quoted(meaning ? `${word}:${meaning}` : word));
          return `    "${path.join(" ")}") choices=(${choices.join(" ")}) ;;`;
        }),
        `  esac`,
        `  _describe ${quoted(program)} choices || _files`,
        `}`,
        // Autoloaded from $fpath it must complete at once; sourced it only registers.
        `if [[ "$funcstack[1]" == "${name}" ]]; then ${name} "$@"; else compdef ${name} ${program}; fi`,
        "",
      ].join("\n");
    },
    fish: (program, all) =>
      all.flatMap(({ path, words }) =>
        words.map(({ word, meaning }) => {
          const when = path.length === 0
            ? "__fish_use_subcommand"
            : path.map((part) => `__fish_seen_subcommand_from ${part}`).join("; and ");
          const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
          return `complete -c ${program} -n ${quoted(when)} ${what} -d ${quoted(meaning)}\n`;
        })
      ).join(""),
  };

/** Every path of commands between bars, so that the value of an option is not taken for a command. */
function known(all: readonly Node[]): string {
  return `|${all.map(({ path }) => path.join(" ")).filter((path) => path !== "").join("|")}|`;
}

function functionName(program: string): string {
  return `_${program.replaceAll("-", "_")}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
