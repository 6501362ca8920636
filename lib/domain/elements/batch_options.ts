/**
 * Which handlers may take many messages at once, judged when they are declared.
 *
 * @module
 */
import { ConfigurationError } from "../../errors.ts";
import type { HandlerKind } from "../handler_port.ts";
import { KINDS } from "../kinds.ts";
import type { HandlerOptions } from "../types.ts";
import { assertBatchSize, isBatchHandling } from "./on.ts";

type Judged = Pick<HandlerOptions, "batch" | "handles">;

/** Throws `ConfigurationError` for the first that cannot be. */
export function assertBatches(kind: HandlerKind, name: string, { batch, handles }: Judged): void {
  const batches = handles.filter(isBatchHandling);
  for (const { size } of batches) assertBatchSize(size, `The size of an onBatch of ${name}`);
  if (batches.length > 0 && KINDS[kind].messages !== "event") {
    throw impossible(
      `${name} is ${
        KINDS[kind].label
      } and uses onBatch, which is for event handlers and projectors: use on(…).`,
    );
  }
  for (const { type } of batches) {
    if (handles.filter((other) => other.type === type).length === 1) continue;
    throw impossible(`${name} handles ${type} by onBatch and once more: one method does all of a batch.`);
  }
  if (batch === undefined) return;
  if (kind !== "projector") {
    throw impossible(
      `${name} is ${KINDS[kind].label} and has 'batch', which projectors have: use onBatch(…).`,
    );
  }
  assertBatchSize(batch, `The batch of ${name}`);
  if (batch > 1 && batches.length > 0) {
    throw impossible(
      `${name} has 'batch', which calls each on(…) with one message, and an onBatch: leave one of them out.`,
    );
  }
}

function impossible(message: string): ConfigurationError {
  return new ConfigurationError(message, { code: "CONFIG_BATCH" });
}
