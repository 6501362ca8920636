/**
 * Rules: settings of subscriptions that are known and valid, and that this version does not serve. A promise
 * of order or of delivery that is not kept must not be accepted in silence.
 *
 * @module
 */
import type { Diagnostic } from "../../diagnostics.ts";
import type { ErrorCode } from "../../error_codes.ts";
import type { SubscriptionSettings } from "./resolve.ts";

const NOT_SUPPORTED: ErrorCode = "CONFIG_NOT_SUPPORTED";

/** What a handler asks for and does not get. */
export function* unservedSettings(
  { name }: { readonly name: string },
  { sequentialBy, subscriptionType }: Pick<SubscriptionSettings, "sequentialBy" | "subscriptionType">,
  /** The broker that messages are published to and read from. */
  broker: { readonly name: string; readonly partitions: object | undefined },
): Generator<Diagnostic> {
  if (sequentialBy === undefined) return;
  if (subscriptionType === "event_store") {
    yield {
      code: NOT_SUPPORTED,
      key: "sequentialBy",
      message:
        `${name} sets sequentialBy to '${sequentialBy}' and reads the event store, where what fails is passed over and no ` +
        'key waits for it: make the subscription type "stream", or leave sequentialBy out; one process reads then, ' +
        "and with concurrency 1 one message after the other.",
    };
  } else if (!broker.partitions) {
    yield {
      code: NOT_SUPPORTED,
      key: "sequentialBy",
      message:
        `${name} sets sequentialBy to '${sequentialBy}', and broker '${broker.name}' cannot part a stream by key: name ` +
        "one that can as 'default', or leave it out; messages of one aggregate are then handled in order within " +
        "each process.",
    };
  }
}
