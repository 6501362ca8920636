/**
 * The log of a command.
 *
 * @module
 */
import { type LoggingSettings, startLogging } from "../telemetry/logging.ts";
import type { Cli } from "./cli.ts";
import type { LogOptions } from "./options.ts";

/** The level of a command's log where nobody names one. */
export type FallbackLevel = "info" | "warning" | "fatal";

/**
 * Starts the log as flags and environment ask for, and as `[logging]` does once `settings` are read; a second
 * call replaces the first.
 */
export function beginLog(
  cli: Cli,
  options: LogOptions,
  fallbackLevel: FallbackLevel,
  settings?: LoggingSettings,
): void {
  startLogging({
    write: (text) => cli.io.err(text),
    isTerminal: cli.io.errIsTerminal,
    env: (name) => cli.io.env(name),
    fallbackLevel,
    ...(options.logLevel !== undefined && { level: options.logLevel }),
    ...(options.logFormat !== undefined && { format: options.logFormat }),
    ...(settings && { settings }),
    ...(cli.worker !== undefined && { worker: cli.worker }),
  });
}
