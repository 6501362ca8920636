/**
 * What a Redis server says without having been asked, and hangs up: that it has no room, or takes no
 * strangers. Whoever has written by then gets a broken pipe instead, or the driver wonders at an answer to no
 * question.
 *
 * @module
 */
import { connect } from "node:net";
import type { Clock } from "../../async/clock.ts";
import type { RedisAddress } from "./uri.ts";

/** Longest reply that is looked at, in bytes. */
const MAX_REPLY = 1024;

/**
 * The reply that the driver did not expect, out of its sentence about it; undefined in any other sentence.
 */
export function unexpectedReply(sentence: string): string | undefined {
  return /^Command queue state error\..* Last (?:error|reply): (.*)$/s.exec(sentence)?.[1];
}

/** Connects, says nothing and listens: the error that the server greets with, if it does so within `ms`. */
export function greetingError(
  { host, port, path }: RedisAddress,
  options: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { clock, ms, signal } = options;
  const socket = path === undefined ? connect({ host, port }) : connect({ path });
  return new Promise((resolve) => {
    let heard = "";
    const settle = () => {
      cancel();
      signal.removeEventListener("abort", settle);
      socket.destroy();
      resolve(/^-(.+?)\r?\n/.exec(heard)?.[1]);
    };
    const cancel = clock.after(ms, settle);
    signal.addEventListener("abort", settle, { once: true });
    if (signal.aborted) settle();
    socket.on("error", settle).on("close", settle).on("data", (piece: Uint8Array) => {
      heard += new TextDecoder().decode(piece);
      if (heard.includes("\n") || heard.length > MAX_REPLY) settle();
    });
  });
}

/** As the driver makes it of an error reply. */
export function replyError(text: string, cause: Error): Error {
  const error = new Error(text, { cause });
  error.name = "ReplyError";
  return error;
}
