/**
 * Which letters a filter means.
 *
 * @module
 */
import { isTypeNamed } from "../message/names.ts";
import type { DeadLetterFilter } from "../domain/dead_letters.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { IncorrectUsageError } from "../errors.ts";
import type { DeadLetter } from "../message/dead_letter.ts";
import { UNKNOWN } from "../message/failure_group.ts";
import { shown } from "../config/secrets.ts";
import { timeOfId } from "./letters.ts";

const TEXTS = ["id", "subscription", "handler", "type", "error"] as const;
const TIMES = ["since", "until"] as const;

/**
 * Clocks of servers and of the broker differ by less. A letter says when it failed by the clock of a server;
 * its id says, by that of the broker, when it came into the queue, which is never before.
 */
const SKEW_MS = 2 * 3_600_000;

/** A letter, as far as filters look at it. */
export interface Judged {
  readonly id: string;
  readonly letter: Pick<DeadLetter, "handler" | "consumerGroup" | "failedAt" | "errorType" | "messageType">;
}

/**
 * Throws `IncorrectUsageError` for what is no filter: a misspelt key, or one that is undefined, would mean
 * more letters than somebody wants to change.
 */
export function assertFilter(filter: DeadLetterFilter, further: readonly string[] = []): void {
  const known: readonly string[] = [...TEXTS, ...TIMES, ...further];
  for (const [key, value] of Object.entries(filter)) {
    if (!known.includes(key)) {
      throw new IncorrectUsageError(`Dead letters have no filter '${key}': use ${known.join(", ")}.`);
    }
    const isText = TEXTS.some((name) => name === key);
    if (isText && (typeof value !== "string" || value.trim() === "")) {
      throw wrong(key, value, "a text that is not empty");
    }
    if (TIMES.some((name) => name === key) && !(value instanceof Date && Number.isFinite(value.getTime()))) {
      throw wrong(key, value, "a valid Date");
    }
  }
}

function wrong(key: string, value: unknown, wanted: string): IncorrectUsageError {
  return new IncorrectUsageError(
    `The filter '${key}' of dead letters takes ${wanted}, or is left out: current value is ${
      shown(key, value)
    }.`,
  );
}

/** True when the filter says more than which queues: letters have to be read to tell. */
export function isSelective(filter: DeadLetterFilter): boolean {
  const { id, handler, type, error, since, until } = filter;
  return [id, handler, type, error, since, until].some((value) => value !== undefined);
}

/** Whether the letter is meant. A letter belongs to the handler it names; one by Python names only the group. */
export function matches(
  { id, letter }: Judged,
  filter: DeadLetterFilter,
  runners: readonly HandlerRunner[],
): boolean {
  const failedAt = failedAtOf(id, letter);
  if (filter.id !== undefined && filter.id !== id) return false;
  if (filter.since && failedAt < filter.since.getTime()) return false;
  if (filter.until && failedAt >= filter.until.getTime()) return false;
  if (filter.error !== undefined && (letter.errorType ?? UNKNOWN) !== filter.error) return false;
  if (filter.type !== undefined && !isOfType(letter.messageType ?? UNKNOWN, filter.type)) return false;
  return filter.handler === undefined || isOf(letter, filter.handler, runners);
}

/** Epoch ms; where the letter does not say, when it came into the queue. */
export function failedAtOf(id: string, { failedAt }: Pick<DeadLetter, "failedAt">): number {
  const time = failedAt === null ? NaN : Date.parse(failedAt);
  return Number.isFinite(time) ? time : timeOfId(id);
}

/** No entry that came before this, epoch ms on the broker's clock, is of a letter that `since` means. */
export function notBefore({ since }: DeadLetterFilter): number {
  return since ? since.getTime() - SKEW_MS : 0;
}

/** Whether a type string is the one that is wanted, or of its name. */
export function isOfType(type: string, wanted: string): boolean {
  return isTypeNamed(type, wanted);
}

function isOf(letter: Judged["letter"], handler: string, runners: readonly HandlerRunner[]): boolean {
  if (letter.handler !== null) return letter.handler === handler;
  return runners.some(({ name, group }) => name === handler && group === letter.consumerGroup);
}
