/**
 * Rule: streams that nothing ever trims. Without `retention_maxlen`, which has no default in the reference
 * either, a stream keeps all that was ever published, and the end of it is a full disk or a full Redis.
 *
 * @module
 */
import type { Diagnostic } from "../../diagnostics.ts";
import type { ErrorCode } from "../../error_codes.ts";
import type { SubscriptionSettings } from "./resolve.ts";

/** One note about all such streams; none of a stream that one of its subscriptions trims. */
export function* unboundedStreams(
  subscriptions: Iterable<
    { readonly category: string; readonly settings: Pick<SubscriptionSettings, "retentionMaxlen"> }
  >,
): Generator<Diagnostic> {
  const trimmed = new Map<string, boolean>();
  for (const { category, settings } of subscriptions) {
    trimmed.set(category, trimmed.get(category) === true || settings.retentionMaxlen !== undefined);
  }
  const growing = [...trimmed].filter(([, isTrimmed]) => !isTrimmed).map(([category]) => category);
  if (growing.length === 0) return;
  yield {
    code: "CONFIG_UNBOUNDED_STREAM" satisfies ErrorCode,
    level: "info",
    key: "server.stream_subscription.retention_maxlen",
    message:
      `Nothing trims ${growing.length === 1 ? "the stream" : "the streams"} ${growing.join(", ")}: set ` +
      "'server.stream_subscription.retention_maxlen', or give their handlers a profile that has it.",
  };
}
