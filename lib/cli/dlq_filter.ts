/**
 * The options that say which dead letters are meant, the same on every command.
 *
 * @module
 */
import type { Command } from "commander";
import type { DeadLetterFilter } from "../domain/dead_letters.ts";
import { addCommonOptions, type DomainOptions, filled, type LogOptions } from "./options.ts";
import { type Moment, moment } from "./times.ts";
import { UsageError } from "./usage_error.ts";

/** Values of the options that `addFilter` adds. */
export interface FilterOptions extends DomainOptions, LogOptions {
  readonly subscription?: string;
  readonly handler?: string;
  readonly type?: string;
  readonly error?: string;
  readonly since?: Moment;
  readonly until?: Moment;
  readonly json?: boolean;
}

/** Adds the filters, and what every command on a domain has. */
export function addFilter(command: Command): Command {
  command
    .option("--subscription <category>", "of this stream category", filled)
    .option("--handler <name>", "of this handler", filled)
    .option("--type <name>", "of this message type: OrderPlaced, MyDomain.OrderPlaced.v1", filled)
    .option("--error <type>", "that failed of this type of error: RangeError", filled)
    .option("--since <time>", "that failed then or later: 2026-11-28T10:00:00Z, or 24h or 7d ago", moment)
    .option("--until <time>", "that failed before", moment);
  return addCommonOptions(command);
}

/** What the options say; `now` in epoch ms. Throws `UsageError` for a span without an inside. */
export function filterOf(options: FilterOptions, now: number): DeadLetterFilter {
  const { subscription, handler, type, error } = options;
  const [since, until] = [options.since?.(now), options.until?.(now)];
  if (since && until && since >= until) {
    throw new UsageError(
      `--since (${since.toISOString()}) must be before --until (${until.toISOString()}).`,
    );
  }
  return {
    ...(subscription !== undefined && { subscription }),
    ...(handler !== undefined && { handler }),
    ...(type !== undefined && { type }),
    ...(error !== undefined && { error }),
    ...(since && { since }),
    ...(until && { until }),
  };
}

/** The filter in words, each with a blank before it: ` of Mailer with RangeError for subscription 'x'`. */
export function inWords({ subscription, handler, type, error, since, until }: DeadLetterFilter): string {
  return [
    handler !== undefined && ` of ${handler}`,
    type !== undefined && ` of type ${type}`,
    error !== undefined && ` with ${error}`,
    since && ` since ${since.toISOString()}`,
    until && ` until ${until.toISOString()}`,
    subscription !== undefined && ` for subscription '${subscription}'`,
  ].filter((part) => typeof part === "string").join("");
}
