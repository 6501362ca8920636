/**
 * Starts and stops the log: LogTape, to stderr, JSON lines where nobody watches (design 10).
 *
 * @module
 */
import { configureSync, type LogLevel, type LogRecord, resetSync } from "@logtape/logtape";
import { type Clock, systemClock } from "../async/clock.ts";
import { REDACTED_WORDS } from "../config/secrets.ts";
import { ConfigurationError } from "../errors.ts";
import { FloodGuard } from "./flood_guard.ts";
import { consoleFormatter, jsonFormatter } from "./log_format.ts";
import { createRedactor } from "./redaction.ts";

/** The parts of `[logging]` that the log itself follows. */
export interface LoggingSettings {
  /** Empty: the default of the command. */
  readonly level: string;
  readonly format: "auto" | "console" | "json";
  readonly redact: readonly string[];
  /** Levels of single loggers by dotted name: `protean.engine`. */
  readonly per_logger: Readonly<Record<string, string>>;
}

/** Options of `startLogging`. */
export interface LoggingOptions {
  /** Takes finished lines; must not throw. */
  readonly write: (text: string) => void;
  /** True when `write` reaches a terminal. */
  readonly isTerminal: boolean;
  /** `--log-level`; beats everything else. */
  readonly level?: string;
  /** `--log-format`; beats `[logging] format` unless it is `auto`. */
  readonly format?: "auto" | "console" | "json";
  readonly env?: (name: string) => string | undefined;
  readonly settings?: LoggingSettings;
  /** Number of this worker among those of its supervisor; every line says so. */
  readonly worker?: number;
  /** Used when nobody names a level. @default "info" */
  readonly fallbackLevel?: string;
  /** For what is told of floods. @default the machine's clock */
  readonly clock?: Clock;
}

const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ["trace", "trace"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warning"],
  ["warning", "warning"],
  ["error", "error"],
  ["fatal", "fatal"],
  ["critical", "fatal"],
]);

const AUDIT = {
  category: ["audit"],
  sinks: ["audit" as const],
  parentSinks: "override" as const,
  lowestLevel: "info" as const,
};

/** Names that are accepted as levels; some mean the same. */
export const LOG_LEVEL_NAMES: readonly string[] = [...LEVELS.keys()];

/** Of the log that is running. */
let guard: FloodGuard | undefined;

/** The level called `name`, in any case. Throws `ConfigurationError` for a name nobody knows. */
export function logLevel(name: string, where: string): LogLevel {
  const level = LEVELS.get(name.toLowerCase());
  if (!level) {
    throw new ConfigurationError(
      `${where} is '${name}', which is no log level: use ${LOG_LEVEL_NAMES.join(", ")}.`,
      { code: "CONFIG_INVALID_VALUE" },
    );
  }
  return level;
}

/** The level that applies: flag, `PROTEAN_LOG_LEVEL`, `[logging] level`, the command's default. */
export function effectiveLogLevel(options: Omit<LoggingOptions, "write" | "isTerminal">): LogLevel {
  const variable = options.env?.("PROTEAN_LOG_LEVEL");
  if (options.level) return logLevel(options.level, "--log-level");
  if (variable) return logLevel(variable, "PROTEAN_LOG_LEVEL");
  if (options.settings?.level) return logLevel(options.settings.level, "[logging] level");
  return logLevel(options.fallbackLevel ?? "info", "The default log level");
}

/**
 * Directs every logger to `write`. A second call replaces the first: the log starts before the configuration
 * is read.
 */
export function startLogging(options: LoggingOptions): void {
  const level = effectiveLogLevel(options);
  const { write, settings } = options;
  const redact = createRedactor(settings?.redact ?? REDACTED_WORDS);
  const stacks = level === "debug" || level === "trace";
  const format = chosenFormat(options) === "json"
    ? jsonFormatter(redact, stacks)
    : consoleFormatter(redact, stacks, options.isTerminal && !options.env?.("NO_COLOR"));
  const own = Object.entries(settings?.per_logger ?? {}).map(([name, wanted]) => ({
    category: name.split("."),
    sinks: ["log" as const],
    // The root's level would hold back what this logger is to say.
    parentSinks: "override" as const,
    lowestLevel: wanted === "" ? level : logLevel(wanted, `[logging.per_logger] ${name}`),
  }));
  const line = jsonFormatter(redact, stacks);
  const named = (record: LogRecord): LogRecord =>
    options.worker === undefined
      ? record
      : { ...record, properties: { ...record.properties, worker: options.worker } };
  guard?.close();
  const flood = guard = new FloodGuard(
    options.clock ?? systemClock,
    (record) => write(format(named(record))),
  );
  configureSync({
    reset: true,
    sinks: {
      log: (record) => flood.take(readable(record)),
      audit: (record) => write(line(named(readable(record)))),
    },
    loggers: [
      { category: [], sinks: ["log"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["log"], parentSinks: "override", lowestLevel: "warning" },
      // What somebody has changed is a line for machines whatever the log is, unless `per_logger` says otherwise.
      ...settings?.per_logger["audit"] === undefined ? [AUDIT] : [],
      ...own,
    ],
  });
}

/** Tells what is still to be told of floods; the log goes on. */
export function tellRepeated(): void {
  guard?.close();
}

/** Tells what is still to be told of floods, and silences every logger. Does nothing when the log was not started. */
export function stopLogging(): void {
  guard?.close();
  guard = undefined;
  resetSync();
}

/** A line is not lost because a property of it throws when it is read: it is told without any of them. */
function readable(record: LogRecord): LogRecord {
  try {
    const { message, properties } = record;
    return { ...record, message, properties };
  } catch {
    const { category, level, timestamp, rawMessage } = record;
    const event = typeof rawMessage === "string" ? rawMessage : rawMessage.join("…");
    const properties = { properties: "(unreadable)" };
    return { category, level, timestamp, rawMessage, message: [event], properties };
  }
}

function chosenFormat({ format, settings, isTerminal }: LoggingOptions): "console" | "json" {
  const wanted = format && format !== "auto" ? format : settings?.format ?? "auto";
  if (wanted !== "auto") return wanted;
  return isTerminal ? "console" : "json";
}
