/**
 * Errors as answers.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { TimeoutError } from "../../async/abort.ts";
import { maskText } from "../../config/secrets.ts";
import { asError, IncorrectUsageError, NotSupportedError, ProteanError } from "../../errors.ts";
import { json } from "./route.ts";

const log = getLogger(["protean", "observatory"]);

/** The request cannot be obeyed as it is. */
export class BadRequestError extends Error {
  override readonly name = "BadRequestError";
}

const STATUSES: ReadonlyMap<string, number> = new Map([
  ["DLQ_NOT_FOUND", 404],
  ["DLQ_UNKNOWN_SUBSCRIPTION", 404],
  ["DLQ_AMBIGUOUS", 409],
]);

/** `{error}`, with a status that says whose fault it is. What nobody has foreseen is logged and not told. */
export function failureAnswer(thrown: unknown): Response {
  const error = asError(thrown);
  const status = statusOf(error);
  if (status !== 500) return json({ error: reason(error) }, status);
  log.error("observatory.failed", { error: error.message, stack: error.stack });
  return json({ error: "Internal Server Error" }, status);
}

/** One sentence for whoever looks, without what an address says of passwords. */
export function reason(thrown: unknown): string {
  const error = asError(thrown);
  return maskText(error instanceof TimeoutError ? `There was ${error.message}.` : error.message);
}

function statusOf(error: Error): number {
  if (error instanceof BadRequestError || error instanceof IncorrectUsageError) return 400;
  if (error instanceof NotSupportedError) return 501;
  if (error instanceof ProteanError) return STATUSES.get(error.code) ?? 503;
  return error instanceof TimeoutError ? 503 : 500;
}
