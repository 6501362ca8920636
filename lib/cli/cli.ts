/**
 * What every command is built with.
 *
 * @module
 */
import picocolors from "picocolors";
import type { Domain } from "../domain/domain.ts";
import type { CliIo } from "./io.ts";

type Colors = ReturnType<typeof picocolors.createColors>;

/** One run of the command line. A command file exports `xCommand(cli: Cli): Command`. */
export interface Cli {
  readonly io: CliIo;
  /** Domains compiled into the executable, by name. */
  readonly domains: Readonly<Record<string, Domain>>;
  /** Colours for stdout; plain text where it is not a terminal or `NO_COLOR` is set. */
  readonly colors: Colors;
  /** Colours for stderr. */
  readonly errColors: Colors;
  /** What the process ends with; an action sets it when it is not 0. */
  exitCode: number;
}

/** Begins a run. */
export function createCli(io: CliIo, domains: Readonly<Record<string, Domain>>): Cli {
  // An empty NO_COLOR counts as unset, as its convention says.
  const wanted = !io.env("NO_COLOR");
  return {
    io,
    domains,
    colors: picocolors.createColors(wanted && io.isTerminal),
    errColors: picocolors.createColors(wanted && io.errIsTerminal),
    exitCode: 0,
  };
}
