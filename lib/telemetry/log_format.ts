/**
 * How a log record looks: one JSON line for machines, one readable line for people (design 10).
 *
 * @module
 */
import type { LogLevel, LogRecord } from "@logtape/logtape";
import picocolors from "picocolors";
import { printable, printableLines, visibleJson } from "../config/visible.ts";
import { isError } from "../errors.ts";
import { describeError } from "../message/describe_error.ts";
import type { Redactor } from "./redaction.ts";

/** From a record to one line, with its end. */
export type LogFormatter = (record: LogRecord) => string;

/** Names of levels as upstream writes them. */
const NAMES: Readonly<Record<LogLevel, string>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warning",
  error: "error",
  fatal: "critical",
};

/** Longest stack, in bytes. */
const MAX_STACK = 16_384;

/** Keys of the record itself, which no property may replace. */
const OWN_KEYS: ReadonlySet<string> = new Set(["event", "logger", "level", "timestamp"]);

/**
 * `{"event","logger","level","timestamp",…properties}`: the keys of the reference's JSON lines (wire 8.3).
 */
export function jsonFormatter(redact: Redactor, stacks: boolean): LogFormatter {
  return (record) =>
    visibleJson(JSON.stringify({
      event: eventOf(record, redact),
      logger: record.category.join("."),
      level: NAMES[record.level],
      timestamp: new Date(record.timestamp).toISOString(),
      ...properties(record, redact, stacks),
    })) + "\n";
}

/** `12:00:00.000 info    engine.started subscription_count=6`. */
export function consoleFormatter(redact: Redactor, stacks: boolean, color: boolean): LogFormatter {
  const paint = picocolors.createColors(color);
  const level: Readonly<Record<LogLevel, (text: string) => string>> = {
    trace: paint.dim,
    debug: paint.dim,
    info: paint.green,
    warning: paint.yellow,
    error: paint.red,
    fatal: paint.red,
  };
  return (record) => {
    const time = paint.dim(new Date(record.timestamp).toISOString().slice(11, 23));
    const name = level[record.level](NAMES[record.level].padEnd(8));
    const { stack, ...rest } = properties(record, redact, stacks);
    const details = Object.entries(rest).map(([key, value]) =>
      ` ${paint.dim(`${shown(key)}=`)}${shown(value)}`
    );
    // Set in, so that no line of a message in it passes for one of the log.
    const trace = typeof stack === "string" ? `\n${printableLines(stack)}`.replaceAll("\n", "\n  ") : "";
    return `${time} ${name} ${printable(eventOf(record, redact))}${details.join("")}${trace}\n`;
  };
}

function eventOf(record: LogRecord, redact: Redactor): string {
  const parts = record.message.map((part, index) => (index % 2 === 0 ? part : shown(redact("", part))));
  return String(redact("", parts.join("")));
}

/** An error becomes its message and type; its stack is for those who debug. */
function properties(record: LogRecord, redact: Redactor, stacks: boolean): Record<string, unknown> {
  // No prototype: a property may have any name.
  const shownProperties: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(record.properties)) {
    if (OWN_KEYS.has(key)) continue;
    const safe = redact(key, value);
    if (safe === undefined) continue;
    shownProperties[key] = safe;
    if (isError(value)) {
      const { type, stack } = describeError(value, MAX_STACK);
      shownProperties[`${key}_type`] ??= type;
      if (stacks) shownProperties.stack ??= redact("stack", stack);
    }
  }
  return shownProperties;
}

/** Text of one line without control characters, which could forge lines or drive the terminal. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  const isPlain = typeof value !== "string" || !/[\s"\p{Cc}]/u.test(text);
  return visibleJson(isPlain ? text : JSON.stringify(text));
}
