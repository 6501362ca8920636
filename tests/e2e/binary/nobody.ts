/**
 * Runs the executable as a user without rights: root may write where nobody may.
 *
 * @module
 */
import { run, type RunOptions } from "../run.ts";
import type { Finished } from "../server.ts";
import { binary } from "./binary.ts";

/** Of `nobody` on most systems; that there is such a user is not needed. */
const NOBODY = 65_534;

/**
 * Why tests that take another user, or a file system of their own, cannot run here; undefined where they can.
 */
export function rootlessObstacle(): string | undefined {
  return Deno.uid() === 0 ? missing("setpriv") : undefined;
}

/** Why no file system can be mounted here; undefined where one can. */
export function mountObstacle(): string | undefined {
  if (Deno.uid() !== 0) return "it takes root";
  return missing("unshare", ["--mount", "true"]);
}

/**
 * In CI what cannot be tested is a failure; elsewhere it is told, for a suite that quietly skips itself
 * proves nothing.
 */
export function skipped(what: string, obstacle: string | undefined): boolean {
  if (obstacle === undefined) return false;
  const text = `NOT TESTED: ${what}: ${obstacle}.\n`;
  if (Deno.env.get("CI")) throw new Error(text);
  Deno.stderr.writeSync(new TextEncoder().encode(text));
  return true;
}

function missing(program: string, args: readonly string[] = ["--version"]): string | undefined {
  try {
    const { success, stderr } = new Deno.Command(program, { args: [...args] }).outputSync();
    return success ? undefined : new TextDecoder().decode(stderr).trim();
  } catch {
    return `${program} of util-linux is missing`;
  }
}

/** A folder that everybody may enter, with the executable in a folder of its own that nobody may write to. */
export class PublicFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(): Promise<PublicFolder> {
    const made = new PublicFolder(await Deno.makeTempDir({ prefix: "protean-nobody-" }));
    await Deno.chmod(made.path, 0o755);
    await Deno.mkdir(`${made.path}/bin`);
    await Deno.copyFile(binary(), made.program);
    await Deno.chmod(made.program, 0o755);
    await Deno.chmod(`${made.path}/bin`, 0o555);
    return made;
  }

  get program(): string {
    return `${this.path}/bin/protean-server`;
  }

  /** Makes a folder; returns its path. */
  async folder(name: string, mode: number): Promise<string> {
    await Deno.mkdir(`${this.path}/${name}`);
    await Deno.chmod(`${this.path}/${name}`, mode);
    return `${this.path}/${name}`;
  }

  /** Runs the executable with no environment but `env`, as somebody who is not root. */
  run(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    const how: RunOptions = { cwd, env: { PATH: Deno.env.get("PATH") ?? "", ...env }, bare: true };
    const become = Deno.uid() === 0
      ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
      : [];
    return run(args, { ...how, program: [...become, this.program] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(this.path)) {
      if (isDirectory) await Deno.chmod(`${this.path}/${name}`, 0o755);
    }
    await Deno.remove(this.path, { recursive: true });
  }
}
