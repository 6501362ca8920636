/**
 * Running the programs that a build needs, and telling about it.
 *
 * @module
 */

/** How a program is run. */
export interface RunOptions {
  /** @default this process's folder */
  readonly cwd?: string;
  /** Changes to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Tells whoever builds. */
export function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Runs a program to its end. Throws when it cannot be run or fails. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const { success, code } = await command(program, args, options, "inherit").spawn().status;
  if (!success) throw new Error(`${program} ${args[0] ?? ""} failed with exit code ${code}.`);
}

/** Runs a program and returns what it wrote to stdout, trimmed; undefined when it is missing or fails. */
export async function ask(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await command(program, args, {}, "piped").output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

function command(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: RunOptions,
  output: "inherit" | "piped",
): Deno.Command {
  const variables = { ...Deno.env.toObject(), ...env };
  return new Deno.Command(program, {
    args: [...args],
    ...(cwd !== undefined && { cwd }),
    env: Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => value ? [[name, value]] : []),
    ),
    clearEnv: true,
    stdin: "null",
    stdout: output,
    stderr: output,
  });
}
