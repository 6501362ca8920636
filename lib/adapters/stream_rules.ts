/**
 * Numbers and sentences that stream brokers have in common.
 *
 * @module
 */
import { FencedError, GroupMissingError } from "../errors.ts";

/** Released entries are this old at once, so that anyone may claim them (delivery 7). Milliseconds. */
export const RELEASED_IDLE_MS = 86_400_000;

/** Most entries one trim drops (delivery 8): an exact 500,000 would hold up Redis for 42 ms. */
export const TRIM_LIMIT = 10_000;

/** What a read rejects with where the group, or its stream, does not exist. */
export function groupMissing(stream: string, group: string, cause?: unknown): GroupMissingError {
  return new GroupMissingError(
    `Group '${group}' of stream '${stream}' does not exist: create it and read again.`,
    { cause },
  );
}

/** What a step rejects with that was to be taken for an owner who has lost the key (wire 2.11). */
export function fenced(stream: string, fence: string): FencedError {
  return new FencedError(`'${stream}' is not ${fence}'s any more: somebody else owns it, or nobody.`);
}
