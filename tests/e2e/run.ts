/**
 * Runs a program to its end in surroundings of the test's making.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { assertTellsNothing, outputsOf } from "../support/standing_check.ts";
import { type Finished, program } from "./server.ts";

export interface RunOptions {
  readonly cwd: string;
  /** Further environment; with `bare` all of it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing of this process's environment is handed on. */
  readonly bare?: boolean;
  /** The program and the arguments before `args`. @default `program()` */
  readonly program?: readonly string[];
}

/** A program that waits longer than this for something will not end by itself. */
const LONGEST_RUN_MS = 120_000;

/**
 * stdin is empty; a program that does not end within two minutes is killed, and has no exit code of its own.
 */
export async function run(args: readonly string[], options: RunOptions): Promise<Finished> {
  const [command = "", ...before] = options.program ?? program();
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...before, ...args],
    cwd: options.cwd,
    env: { NO_COLOR: "1", ...options.env },
    clearEnv: options.bare ?? false,
    stdin: "null",
    signal: AbortSignal.timeout(LONGEST_RUN_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const finished = { code, out: text(stdout), err: text(stderr) };
  assertTellsNothing(outputsOf(args, finished));
  return finished;
}

/** What the user reads after the log: one line that begins as errors do, and no stack. */
export function sentence({ err }: Finished): string {
  const lines = err.trim().split("\n").filter((line) => !line.startsWith("{"));
  assertEquals(lines.length, 1, err);
  assert(lines[0]?.startsWith("Error: "), err);
  return lines[0] ?? "";
}
