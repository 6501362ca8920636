/**
 * Rule: settings that somebody has set for one handler, or for all that read the event store, and that the way
 * by which messages are read does not know.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/loaded.ts";
import { type Diagnostic, placeOf } from "../../diagnostics.ts";
import type { ErrorCode } from "../../error_codes.ts";
import { camelCase, handlerValues, type SubscribingHandler } from "./handler_options.ts";
import { handlerTables, type SubscriptionType } from "./precedence.ts";

const found = { code: "CONFIG_NO_EFFECT" satisfies ErrorCode, level: "warning" } as const;

/** By the type that does not know them. */
const UNKNOWN_TO: Readonly<Record<SubscriptionType, readonly string[]>> = {
  stream: ["position_update_interval"],
  event_store: [
    "blocking_timeout_ms",
    "retry_max_delay_seconds",
    "circuit_breaker_threshold",
    "circuit_breaker_reset_seconds",
    "claim_interval_ms",
  ],
};

interface Subscription {
  readonly runner: SubscribingHandler;
  readonly category: string;
  readonly settings: { readonly subscriptionType: SubscriptionType };
}

/** One warning for every such key of a handler, and for every one of `[server.event_store_subscription]`. */
export function* settingsOfOtherType(
  loaded: LoadedConfig,
  subscriptions: readonly Subscription[],
): Generator<Diagnostic> {
  const told = new Set<string>();
  for (const { runner, category, settings: { subscriptionType: type } } of subscriptions) {
    const levels = [
      { values: handlerValues(runner).values, source: "" },
      ...handlerTables(loaded, runner, category),
    ];
    for (const { values, source } of levels) {
      for (const setting of UNKNOWN_TO[type].filter((key) => Object.hasOwn(values, key))) {
        const key = source === "" ? camelCase(setting) : setting;
        const where = source === "" ? `Handler '${runner.name}'` : source;
        const what = type === "stream" ? "reads a stream" : "reads the event store";
        const message = `${where}: '${key}' has no effect, because ${runner.name} ${what}.`;
        if (told.has(message)) continue;
        told.add(message);
        yield { ...found, key, message };
      }
    }
  }
  if (subscriptions.some(({ settings }) => settings.subscriptionType === "event_store")) return;
  for (const [key, origin] of loaded.origins) {
    if (origin.path[0] !== "server" || origin.path[1] !== "event_store_subscription") continue;
    yield {
      ...found,
      key,
      message: `'${key}' has no effect: no handler reads the event store.`,
      ...placeOf(origin),
    };
  }
}
