/**
 * A text in the user's editor. It lies in a file that nobody else may read, in a folder of its own, and
 * both are gone afterwards; the editor is started as it is, never through a shell (SEC-2).
 *
 * @module
 */
import { join } from "node:path";
import { systemReason } from "../errors.ts";
import type { Cli } from "./cli.ts";
import { UsageError } from "./usage_error.ts";

/** Bytes of a text that comes back: no payload is larger. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Returns the text as it was saved. Throws `UsageError` where `EDITOR` names no program, may not be run, or
 * ends with a failure.
 */
export async function edited(cli: Cli, text: string): Promise<string> {
  // An editor with options, as `code --wait`: words, without anything that a shell would do to them.
  const [program, ...args] = (cli.io.env("EDITOR") ?? "").trim().split(/\s+/);
  if (program === undefined || program === "") {
    throw new UsageError("--edit needs the variable EDITOR, which names the program that edits the payload.");
  }
  const folder = await Deno.makeTempDir({ prefix: "protean-edit-" });
  try {
    const file = join(folder, "payload.json");
    await Deno.writeTextFile(file, text, { createNew: true, mode: 0o600 });
    const { success, code } = await run(program, [...args, file]);
    if (!success) throw new UsageError(`The editor '${program}' ended with ${code}: nothing was changed.`);
    const { size } = await Deno.stat(file);
    if (size > MOST_BYTES) {
      throw new UsageError(`The edited payload has ${size} bytes, which is more than any may.`);
    }
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(program: string, args: string[]): Promise<Deno.CommandStatus> {
  try {
    return await new Deno.Command(program, { args, stdin: "inherit", stdout: "inherit", stderr: "inherit" })
      .spawn().status;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw new UsageError(
        `This executable may not run programs, so not the editor '${program}' either: write the letter to a file with ` +
          "`dlq list --export`, mend it there, purge it, and put it back with `dlq import`.",
        { cause },
      );
    }
    throw new UsageError(`Cannot run the editor '${program}' of EDITOR: ${systemReason(cause)}.`, { cause });
  }
}
