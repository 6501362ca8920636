/**
 * `reload --pid N`: asks a supervisor to replace its workers one by one.
 *
 * @module
 */
import { Command } from "commander";
import { asError, ProteanError } from "../../errors.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import { positive } from "../options.ts";

/** Its place in the masks of signals that `/proc` shows. */
const SIGUSR2 = 12;

export function reloadCommand(cli: Cli): Command {
  const command = new Command("reload")
    .description(
      "Replace the workers of a running server one by one, each once its successor is ready. As SIGUSR2 does.",
    )
    .requiredOption("--pid <n>", "process id of the server that runs with --workers", positive);
  return withExamples(command, [["reload --pid 4711", "start the workers of process 4711 anew"]])
    .action(async ({ pid }: { readonly pid: number }) => {
      await assertListens(pid);
      try {
        Deno.kill(pid, "SIGUSR2");
      } catch (cause) {
        const gone = cause instanceof Deno.errors.NotFound;
        const why = gone ? "there is no such process" : asError(cause).message.replace(/\.$/, "");
        throw failure(`Process ${pid} cannot be asked to reload: ${why}.`, cause);
      }
      cli.io.out(`Process ${pid} replaces its workers; its log tells how it goes.\n`);
    });
}

/** The signal would end a process that does not listen to it. Where the system does not tell, it is believed. */
async function assertListens(pid: number): Promise<void> {
  const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(await statusOf(pid))?.[1];
  if (caught === undefined || (BigInt(`0x${caught}`) >> BigInt(SIGUSR2 - 1)) & 1n) return;
  throw failure(
    `Process ${pid} does not listen to SIGUSR2: it is no server of ours. Name a server's process.`,
  );
}

/** Empty where it cannot be had. */
async function statusOf(pid: number): Promise<string> {
  const file = `/proc/${pid}/status`;
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) return "";
  }
  try {
    // Deno lets nobody into /proc who has not every permission there is, as the executable has not.
    const { stdout } = await new Deno.Command("cat", { args: [file], stdin: "null", stderr: "null" })
      .output();
    return new TextDecoder().decode(stdout);
  } catch {
    return "";
  }
}

function failure(message: string, cause?: unknown): ProteanError {
  return new ProteanError(message, { code: "RELOAD", ...(cause !== undefined && { cause }) });
}
