/**
 * Options that several commands share, declared once.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { LOG_LEVEL_NAMES } from "../telemetry/logging.ts";

/** Values of the options that `addDomainOption` adds. */
export interface DomainOptions {
  /** As given to `--domain`; undefined: `PROTEAN_DOMAIN`, then the current folder. */
  readonly domain?: string;
  /** As given to `--config`: path of a domain.toml. */
  readonly config?: string;
}

/** Values of the options that `addLogOptions` adds. */
export interface LogOptions {
  readonly logLevel?: string;
  readonly logFormat?: LogFormat;
}

/** `auto`: readable on a terminal, JSON lines elsewhere. */
export type LogFormat = "auto" | "console" | "json";

/** Adds `--domain D` and `--config F` (design 5 and 6). */
export function addDomainOption(command: Command): Command {
  return command
    .option(
      "--domain <domain>",
      "a compiled-in name, a file or a folder, with :export to pick one (default: PROTEAN_DOMAIN, then the current folder)",
      filled,
    )
    .option(
      "--config <file>",
      "the domain.toml to use (default: beside the domain module, then two parents up)",
      filled,
    );
}

/** Values of the options that `addActor` adds. */
export interface ActorOptions {
  readonly by?: string;
  readonly reason?: string;
}

/** Adds who does it and why, for the audit. */
export function addActor(command: Command): Command {
  return command
    .option(
      "--by <name>",
      "who does it, for the audit (default: PROTEAN_USER, then the system's user)",
      filled,
    )
    .option("--reason <text>", "why, for the audit", filled);
}

/** Adds `--json`. */
export function addJsonOption(command: Command): Command {
  return command.option("--json", "print one JSON envelope {version,status,data,diagnostics}");
}

/** Adds what every command on a domain has: `--domain`, `--config`, the options of the log, `--json`. */
export function addCommonOptions(command: Command): Command {
  return addJsonOption(addLogOptions(addDomainOption(command)));
}

/** Adds `--log-level L` and `--log-format F` (design 12). */
export function addLogOptions(command: Command): Command {
  return command
    .option(
      "--log-level <level>",
      "debug, info, warning, error or critical (default: PROTEAN_LOG_LEVEL, then [logging] level)",
      level,
    )
    .addOption(
      new Option("--log-format <format>", "auto: readable on a terminal, JSON lines elsewhere")
        .choices(["auto", "console", "json"]).default("auto"),
    );
}

function level(value: string): string {
  const name = value.toLowerCase();
  if (LOG_LEVEL_NAMES.includes(name)) return name;
  throw new InvalidArgumentError(`Allowed choices are ${LOG_LEVEL_NAMES.join(", ")}.`);
}

/** The value of an option that is no use when it is empty, as where a variable of the shell is not set. */
export function filled(value: string): string {
  if (value.trim() !== "") return value;
  throw new InvalidArgumentError("It must not be empty.");
}

/** The value of an option that takes a number above 0, in decimal digits. */
export function aboveZero(value: string): number {
  const number = /^\d*\.?\d+$/.test(value) ? Number(value) : 0;
  if (!(number > 0 && Number.isFinite(number))) {
    throw new InvalidArgumentError("It must be a number above 0.");
  }
  return number;
}

/** The value of an option that takes a whole number above 0. */
export function positive(value: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError("It must be a whole number above 0.");
  }
  return number;
}
