/**
 * Asks before something is destroyed.
 *
 * @module
 */
import type { Cli } from "./cli.ts";
import { readLines } from "./lines.ts";
import { UsageError } from "./usage_error.ts";

/**
 * True when `--yes` was given or somebody at the terminal agrees. Throws `UsageError` where nobody can be
 * asked.
 *
 * @param question One sentence that ends in a question mark.
 */
export async function confirm(cli: Cli, question: string, yes: boolean | undefined): Promise<boolean> {
  if (yes) return true;
  if (!cli.io.inIsTerminal) {
    throw new UsageError(`${question} Nobody can be asked here: repeat the command with --yes.`);
  }
  cli.io.err(`${question} [y/N] `);
  for await (const line of readLines(cli.io.stdin(), { maxBytes: 100 })) {
    return "text" in line && /^y(es)?$/i.test(line.text.trim());
  }
  return false;
}
