/**
 * Help that begins with examples: they answer most questions.
 *
 * @module
 */
import type { Command } from "commander";

/** Puts examples above the usage: what to type after the program's name, and what it does. */
export function withExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const lines = examples.map(([line, meaning]) => `  # ${meaning}\n  protean-server ${line}\n`);
  return command.addHelpText("before", `Examples:\n${lines.join("")}`);
}
