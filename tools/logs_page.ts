/**
 * `docs/reference/logs.md`, made from the list of events.
 *
 * @module
 */
import { LOG_EVENTS, type LogEvent } from "../lib/telemetry/log_events.ts";
import { code, table } from "./reference_table.ts";

const HEAD = `<!-- Made by \`deno task docs\` from lib/telemetry/log_events.ts. Do not edit. -->

# Log events

The log goes to stderr: readable lines on a terminal, elsewhere one JSON object a line (\`[logging] format\`, \`--log-format\`). Every line has \`event\`, \`logger\`, \`level\` (debug, info, warning, error, critical) and \`timestamp\` (UTC, ISO 8601), then the properties of its event; \`?\` marks one that may be missing. With several workers \`worker\` is the number of its place. An error's stack is there at \`debug\`. A secret is never in it: properties whose names say so and passwords inside of addresses are masked, what else is left out says \`[logging] redact\`.

The level is that of \`--log-level\`, \`PROTEAN_LOG_LEVEL\`, \`[logging] level\`, else info; \`[logging.per_logger]\` sets one for a logger and those below it.

A finding of the start is an event of \`protean.engine\` with \`key\` and \`message\`, at warning or info: its name is its code in small letters, \`config.no_effect\` for \`CONFIG_NO_EFFECT\` and \`check.low_pool_size\` for \`LOW_POOL_SIZE\`. [check.md](check.md) has them. Your handlers' own lines (\`ctx.log\`) are of \`protean.handler.<Handler>\`.

Of the same line of our loggers about the same subject, at info or above, twenty are written in ten seconds; \`log.repeated\`, from the same logger, then says \`of\` which event there were how many more (\`times\`). [Logs](../guides/logs.md) has more.
`;

/** The text of the page. */
export function logsPage(): string {
  return HEAD + Object.entries(LOG_EVENTS).map(([logger, events]) => part(logger, events)).join("");
}

function part(logger: string, events: Readonly<Record<string, LogEvent>>): string {
  const rows = Object.entries(events).map(([event, [levels, properties, meaning]]) => [
    code(event),
    levels.replace(" ", ", "),
    properties.split(" ").map(code).join(", "),
    meaning,
  ]);
  return `\n## ${logger}\n\n${table(["event", "level", "properties", "meaning"], rows)}`;
}
