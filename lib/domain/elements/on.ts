/**
 * `on` and `onAny`: the methods of a handler.
 *
 * @module
 */
import { messageOf } from "./message_definition.ts";
import type { Context, Handling, MessageType, Out, Schema } from "../types.ts";

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

/**
 * Handles every message that no `on` of the same handler wants, also of types nobody has registered; the
 * payload is validated only where the type is known.
 */
export function onAny(handler: (payload: unknown, ctx: Context) => unknown): Handling {
  return { type: ANY, handle: handler };
}
