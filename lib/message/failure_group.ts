/**
 * What dead letters failed of, told apart: handler, type of error, type of message, and the place in the
 * team's own code where it was thrown, without the numbers that every release moves (operations 6).
 *
 * The Redis adapter does the same in Lua (`failure_scripts.ts`): a letter that is counted here and there must
 * fall into the same group, which the broker suite checks.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type DeadLetter, summarizeDeadLetter } from "./dead_letter.ts";

/** What is said of a letter that does not say it. */
export const UNKNOWN = "unknown";

/** Frames with one of these are the runtime's, a package's or this server's. */
export const FOREIGN_FRAMES = [
  ...["node:", "ext:", "node_modules/", "/deno/npm/", "jsr.io/", "<anonymous>"],
  ...["@protean/server/", "protean-server/lib/"],
] as const;

/** What a letter failed of. */
export interface Failure {
  /** 12 hexadecimal digits. */
  readonly fingerprint: string;
  /** The handler that the letter names, or where it names none, its consumer group. */
  readonly handler: string;
  /** `handler` is a handler and no group. */
  readonly named: boolean;
  /** `unknown` where the letter does not say. */
  readonly errorType: string;
  /** `unknown` for what is no message. */
  readonly type: string;
}

/** Of an entry's text. Never throws. */
export function failureOf(entry: string | undefined): Failure {
  return failureOfLetter(summarizeDeadLetter(entry));
}

/** Of what is read of a letter. */
export function failureOfLetter(
  letter: Pick<DeadLetter, "handler" | "consumerGroup" | "errorType" | "messageType" | "errorStack">,
): Failure {
  const named = letter.handler !== null && letter.handler !== "";
  const handler = letter.handler || letter.consumerGroup || UNKNOWN;
  const errorType = letter.errorType ?? UNKNOWN;
  const type = letter.messageType ?? UNKNOWN;
  const text = [handler, errorType, type, ownFrame(letter.errorStack ?? "")].join("|");
  const fingerprint = createHash("sha1").update(text).digest("hex").slice(0, 12);
  return { fingerprint, handler, named, errorType, type };
}

/** `OrderHandler.on order.ts`: the first own frame, without folders, which differ by machine; else empty. */
export function ownFrame(stack: string): string {
  for (const line of stack.split("\n")) {
    const frame = /^[ \t]+at ([^\n]+)$/.exec(line)?.[1];
    if (frame === undefined || FOREIGN_FRAMES.some((part) => frame.includes(part))) continue;
    const called = frame.startsWith("async ") ? frame.slice("async ".length) : frame;
    const slash = called.lastIndexOf("/");
    const place = called.indexOf(" (");
    const text = slash < 0 ? called : `${place < 0 ? "" : called.slice(0, place)} ${called.slice(slash + 1)}`;
    return text.replace(/[0-9:)]+/g, "");
  }
  return "";
}
