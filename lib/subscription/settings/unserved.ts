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
  { subscriptionType, sequentialBy }: Pick<SubscriptionSettings, "subscriptionType" | "sequentialBy">,
): Generator<Diagnostic> {
  if (subscriptionType !== "stream") {
    yield {
      code: NOT_SUPPORTED,
      message:
        `${name} resolves to an event_store subscription, which this version does not run: set subscriptionType "stream" on it.`,
    };
  }
  if (sequentialBy !== undefined) {
    yield {
      code: NOT_SUPPORTED,
      key: "sequentialBy",
      message:
        `${name} sets sequentialBy to '${sequentialBy}', an order across processes that this version does not keep: leave it ` +
        "out; without it messages of one aggregate are handled in order within each process.",
    };
  }
}
