/**
 * `--workers N` and what belongs to it.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";

/** More is a mistake, and would be hard to end. */
const MOST_WORKERS = 256;

export interface SupervisorFlags {
  readonly workers: number;
  readonly once?: boolean;
  /** False with `--no-restart`. */
  readonly restart: boolean;
  readonly requireDependencies?: boolean;
}

/** Set by a supervisor for its workers. */
export interface WorkerPlace {
  readonly number: number;
  /** From one report of its health to the next. */
  readonly reportEveryMs: number;
}

/** Adds `--workers` and what belongs to it. */
export function addWorkerOptions(command: Command): Command {
  return command
    .option("--workers <n>", "processes to run under one supervisor, which answers the probes", workers, 1)
    .option("--no-restart", "leave a worker that crashed down instead of starting it again")
    .option(
      "--allow-event-store-multiworker",
      "accepted and not needed: handlers of the event store have one owner among all workers",
    )
    .addOption(new Option("--as-worker <place>").argParser(place).hideHelp());
}

function workers(value: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number < 1) throw new InvalidArgumentError("--workers must be >= 1.");
  if (number > MOST_WORKERS) throw new InvalidArgumentError(`--workers must be at most ${MOST_WORKERS}.`);
  return number;
}

function place(value: string): WorkerPlace {
  const [, number, every] = /^(\d{1,4})@(\d+(?:\.\d+)?)$/.exec(value) ?? [];
  if (number === undefined) throw new InvalidArgumentError("A supervisor sets it for its workers.");
  return { number: Number(number), reportEveryMs: Number(every) };
}
