/**
 * The settings that a handler declares in code, camel case, checked against the schema of
 * `[server.subscriptions.*]` (design 5: options are camelCase in code and snake_case in TOML, one-to-one).
 *
 * @module
 */
import { shown } from "../../config/secrets.ts";
import { endingWithHint } from "../../config/nearest.ts";
import { refusedValue } from "../../config/problems.ts";
import { isPythonOnly } from "../../config/python_only.ts";
import { subscriptionSchema, type SubscriptionTable } from "../../config/schema/subscription.ts";
import type { Path } from "../../config/tree.ts";
import type { HandlerRunner } from "../../domain/handler_port.ts";
import type { ConfigurationProblem } from "../../errors.ts";

/** What is asked of a handler; a `HandlerRunner` is one. */
export type SubscribingHandler =
  & Pick<HandlerRunner, "name" | "kind" | "options">
  & Partial<Pick<HandlerRunner, "sharedGroup">>;

/** What a handler declares, and what is wrong with it. */
export interface HandlerValues {
  /** Snake case; only what is valid. */
  readonly values: SubscriptionTable;
  readonly problems: readonly ConfigurationProblem[];
}

/** `messages_per_tick` → `messagesPerTick`. */
export function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Keys of `subscriptionConfig`: camel case → snake case. */
const KEYS: ReadonlyMap<string, string> = new Map(
  Object.keys(subscriptionSchema.shape)
    .filter((key) => !isPythonOnly(["server", "subscriptions", "*", key]))
    .map((key) => [camelCase(key), key]),
);

/**
 * Reads a handler's options. `subscriptionConfig` wins over the options beside it (wire 10.3); undefined and
 * null count as not given.
 */
export function handlerValues({ name, options }: SubscribingHandler): HandlerValues {
  const problems: ConfigurationProblem[] = [];
  const given: Record<string, unknown> = {};
  const declared = {
    profile: options.subscriptionProfile,
    subscriptionType: options.subscriptionType,
    idempotent: options.idempotent,
    concurrency: options.concurrency,
    ...options.subscriptionConfig,
  };
  for (const [key, value] of Object.entries(declared)) {
    const setting = KEYS.get(key);
    if (value === undefined || value === null) continue;
    if (setting !== undefined) given[setting] = value;
    else problems.push(unknownOption(name, key, value));
  }

  const nameOf = (path: Path) => camelCase(String(path[0]));
  for (const issue of subscriptionSchema.safeParse(given).error?.issues ?? []) {
    const { code, path, message } = refusedValue(subscriptionSchema, issue, given, nameOf);
    problems.push({ code, key: nameOf(path), message: `Handler '${name}': ${message}` });
    delete given[String(path[0])];
  }
  if (options.sequentialBy === "") {
    const message =
      `Handler '${name}': 'sequentialBy' must name a field of the payload: current value is "".`;
    problems.push({ code: "CONFIG_INVALID_VALUE", key: "sequentialBy", message });
  }
  return { values: subscriptionSchema.parse(given), problems };
}

function unknownOption(handler: string, key: string, value: unknown): ConfigurationProblem {
  const hint = endingWithHint(key, KEYS.keys());
  const message = `Handler '${handler}': unknown key '${key}' in subscriptionConfig (current value is ${
    shown(key, value)
  })${hint}`;
  return { code: "CONFIG_UNKNOWN_KEY", key, message };
}
