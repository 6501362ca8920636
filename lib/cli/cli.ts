/**
 * What every command is built with.
 *
 * @module
 */
import picocolors from "picocolors";
import type { Domain } from "../domain/domain.ts";
import type { CliIo } from "./io.ts";
import type { Scaffold } from "./new/scaffold.ts";

/** A sample that `demo` runs through a domain on the embedded default. */
export interface Demo {
  /** Name among the domains. */
  readonly domain: string;
  /** Name of the command that is sent. */
  readonly command: string;
  /** Its payloads as JSON, one a line. */
  readonly lines: () => Promise<string>;
}

/** What the executable carries besides the library. */
export interface CompiledIn {
  /** Domains by name, loaded when asked for. */
  readonly domains: Readonly<Record<string, () => Promise<Domain>>>;
  /** Text of the domain.toml for these domains where none is found on disk; undefined: there is none. */
  readonly config: () => Promise<string | undefined>;
  readonly demo?: Demo | undefined;
  readonly scaffold?: (() => Promise<Scaffold>) | undefined;
}

type Colors = ReturnType<typeof picocolors.createColors>;

/** One run of the command line. A command file exports `xCommand(cli: Cli): Command`. */
export interface Cli {
  readonly io: CliIo;
  readonly compiledIn: CompiledIn;
  /** Colours for stdout; plain text where it is not a terminal or `NO_COLOR` is set. */
  readonly colors: Colors;
  /** Colours for stderr. */
  readonly errColors: Colors;
  /** Number of this process among the workers of its supervisor; undefined where it has none. */
  worker?: number;
  /** What the process ends with; an action sets it when it is not 0. */
  exitCode: number;
}

/** Begins a run. */
export function createCli(io: CliIo, compiledIn: CompiledIn): Cli {
  // An empty NO_COLOR counts as unset, as its convention says.
  const wanted = !io.env("NO_COLOR");
  return {
    io,
    compiledIn,
    colors: picocolors.createColors(wanted && io.isTerminal),
    errColors: picocolors.createColors(wanted && io.errIsTerminal),
    exitCode: 0,
  };
}
