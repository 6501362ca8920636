/**
 * Rule: settings that somebody has set, in the configuration or on a handler, and that change nothing in this
 * version.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/loaded.ts";
import { ineffective, ineffectiveKeys, withoutEffect } from "../../config/no_effect.ts";
import { type Diagnostic, placeOf } from "../../diagnostics.ts";
import type { ErrorCode } from "../../error_codes.ts";
import { camelCase, handlerValues, type SubscribingHandler } from "./handler_options.ts";

const found = { code: "CONFIG_NO_EFFECT" satisfies ErrorCode, level: "warning" } as const;

/** One warning for every such key, each once. */
export function* settingsWithoutEffect(
  loaded: LoadedConfig,
  handlers: Iterable<SubscribingHandler>,
): Generator<Diagnostic> {
  for (const { key, origin, why } of ineffectiveKeys(loaded)) {
    yield { ...found, key, message: `'${key}' ${withoutEffect(why)}`, ...placeOf(origin) };
  }
  for (const handler of handlers) {
    for (const setting of Object.keys(handlerValues(handler).values)) {
      const why = ineffective(["server", "subscriptions", handler.name, setting]);
      if (!why) continue;
      const key = camelCase(setting);
      yield { ...found, key, message: `Handler '${handler.name}': '${key}' ${withoutEffect(why)}` };
    }
  }
}
