/**
 * `on`, `onBatch` and `onAny`: the methods of a handler.
 *
 * @module
 */
import { messageOf } from "./message_definition.ts";
import { ConfigurationError } from "../../errors.ts";
import type { BatchContext, BatchHandling, Context, Handling, MessageType, Out, Schema } from "../types.ts";

/** Type of a catch-all, as upstream calls it. */
export const ANY = "$any";

/** Handles messages of one type, also those of older versions that its upcasters understand. */
export function on<S extends Schema>(
  message: MessageType<S>,
  handler: (payload: Readonly<Out<S>>, ctx: Context) => unknown,
): Handling {
  return {
    type: messageOf(message).typeString,
    // The runner validates with the schema of exactly this type before it calls.
    handle: (payload, ctx) => handler(payload as Readonly<Out<S>>, ctx),
  };
}

/** Messages in one batch. */
export const MOST_IN_BATCH = 10_000;
/** A batch that waits for longer holds up what came first for no gain. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Handles up to `size` events of one type at once, in order, in one unit of work; event handlers and projectors
 * only. Events that were handled before are left out, all are acknowledged together. When `handler` throws,
 * nothing of the batch is committed, and it is called again with each half, until the event that cannot be
 * handled stands alone and is retried as any other; the others commit. See also `BatchContext.fail`.
 *
 * A batch takes what is there, at most `size` events and 4 MiB. Where it is not full it waits for more, at most
 * `maxWaitMs` from its first one on (0 to 60,000): a lone event waits so long. @default maxWaitMs 0, it never waits
 *
 * Throws `ConfigurationError` for numbers that cannot be.
 *
 * @example
 * ```ts
 * onBatch(OrderPlaced, { size: 100, maxWaitMs: 50 }, async (events, ctx) => {
 *   const totals = await ctx.view(Totals).getMany(events.map(({ customer }) => customer));
 *   const sums = new Map([...totals].map(([id, { total }]) => [id, total]));
 *   for (const { customer, amount } of events) sums.set(customer, (sums.get(customer) ?? 0) + amount);
 *   for (const [id, total] of sums) await ctx.view(Totals).put({ id, total });
 * });
 * ```
 */
export function onBatch<S extends Schema>(
  message: MessageType<S>,
  options: { size: number; maxWaitMs?: number },
  handler: (events: readonly Readonly<Out<S>>[], ctx: BatchContext) => unknown,
): BatchHandling {
  const { typeString: type, label } = messageOf(message);
  const { size, maxWaitMs = 0 } = options ?? {};
  if (message.kind === "command") {
    throw impossible(`onBatch takes events, and ${message.name} is a command: handle it with on(…).`);
  }
  assertBatchSize(size, `The size of onBatch of ${label}`);
  if (typeof maxWaitMs !== "number" || !(maxWaitMs >= 0 && maxWaitMs <= LONGEST_WAIT_MS)) {
    throw impossible(
      `The maxWaitMs of onBatch of ${label} must be milliseconds from 0 to ${LONGEST_WAIT_MS}: ` +
        `current value is ${String(maxWaitMs)}.`,
    );
  }
  return {
    ...{ type, size, maxWaitMs },
    // The runner validates with the schema of exactly this type before it calls.
    handle: (payloads, ctx) => handler(payloads as readonly Readonly<Out<S>>[], ctx),
  };
}

/** Throws `ConfigurationError` for what is no number of messages in a batch. */
export function assertBatchSize(size: unknown, what: string): void {
  if (typeof size === "number" && Number.isInteger(size) && size >= 1 && size <= MOST_IN_BATCH) return;
  throw impossible(
    `${what} must be a whole number from 1 to ${MOST_IN_BATCH}: current value is ${String(size)}.`,
  );
}

function impossible(message: string): ConfigurationError {
  return new ConfigurationError(message, { code: "CONFIG_BATCH" });
}

/** Whether a method takes many messages at once. */
export function isBatchHandling(handling: Handling | BatchHandling): handling is BatchHandling {
  return "size" in handling;
}

/**
 * Handles every message that no `on` of the same handler wants, also of types nobody has registered; the
 * payload is validated only where the type is known.
 */
export function onAny(handler: (payload: unknown, ctx: Context) => unknown): Handling {
  return { type: ANY, handle: handler };
}
