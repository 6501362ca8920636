/**
 * Help that begins with examples: they answer most questions.
 *
 * @module
 */
import type { Command } from "commander";

/** What to type after the program's name, and what it does. */
export type Example = readonly [line: string, meaning: string];

const EXAMPLES = new WeakMap<Command, readonly Example[]>();

/** Puts examples above the usage. */
export function withExamples(command: Command, examples: readonly Example[]): Command {
  EXAMPLES.set(command, examples);
  const lines = examples.map(([line, meaning]) => `  # ${meaning}\n  protean-server ${line}\n`);
  return command.addHelpText("before", `Examples:\n${lines.join("")}`);
}

/** The examples of a command; none where it has none. */
export function examplesOf(command: Command): readonly Example[] {
  return EXAMPLES.get(command) ?? [];
}
