/**
 * Rules: how a handler reads its messages, where that is not what its options or its profile say.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/load.ts";
import type { Diagnostic } from "../../diagnostics.ts";
import type { ErrorCode } from "../../error_codes.ts";
import { handlerValues, type SubscribingHandler } from "./handler_options.ts";
import { profileSettings } from "./profiles.ts";
import { explainSettings } from "./resolve.ts";

/** One note about all handlers that read a stream because there is no event store (delivery 15). */
export function* streamsInstead(
  config: LoadedConfig,
  subscriptions: Iterable<{ readonly runner: SubscribingHandler; readonly category: string }>,
): Generator<Diagnostic> {
  const found = new Set<string>();
  for (const { runner: handler, category } of subscriptions) {
    const { insteadOf } = explainSettings({ config, handler, category });
    if (insteadOf !== undefined) found.add(`${handler.name} (${insteadOf})`);
  }
  if (found.size === 0) return;
  yield {
    code: "CONFIG_NO_EVENT_STORE" satisfies ErrorCode,
    level: "info",
    key: "event_store",
    message:
      `This domain has no [event_store], so what a profile would read from there is read from the stream, ` +
      `with dead letters: ${[...found].join(", ")}.`,
  };
}

/** One warning for every handler whose `subscriptionType` its own profile goes before. */
export function* typesWithoutEffect(
  { config }: LoadedConfig,
  handlers: Iterable<SubscribingHandler>,
): Generator<Diagnostic> {
  for (const handler of handlers) {
    const { values, type } = handlerValues(handler);
    const { profile, subscription_type: closer } = values;
    const byProfile = profile === undefined ? undefined : profileSettings(config, profile)?.subscription_type;
    if (closer !== undefined || byProfile === undefined) continue;
    if (type.subscription_type === undefined || type.subscription_type === byProfile) continue;
    yield {
      code: "CONFIG_NO_EFFECT" satisfies ErrorCode,
      level: "warning",
      key: "subscriptionType",
      message:
        `Handler '${handler.name}': 'subscriptionType' has no effect, because its profile ${profile} says ` +
        `"${byProfile}": write it as subscriptionConfig: { subscriptionType: "${type.subscription_type}" }.`,
    };
  }
}
