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
    .action(({ pid }: { readonly pid: number }) => {
      assertListens(pid);
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
function assertListens(pid: number): void {
  let status: string;
  try {
    status = Deno.readTextFileSync(`/proc/${pid}/status`);
  } catch {
    return;
  }
  const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(status)?.[1];
  if (caught === undefined || (BigInt(`0x${caught}`) >> BigInt(SIGUSR2 - 1)) & 1n) return;
  throw failure(
    `Process ${pid} does not listen to SIGUSR2: it is no server of ours. Name a server's process.`,
  );
}

function failure(message: string, cause?: unknown): ProteanError {
  return new ProteanError(message, { code: "RELOAD", ...(cause !== undefined && { cause }) });
}
