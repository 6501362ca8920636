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
  /** The option `subscriptionType`, which the handler's profile goes before. */
  readonly type: Pick<SubscriptionTable, "subscription_type">;
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

/** How a handler's options say it that `subscriptionConfig` says otherwise. */
const OPTIONS: ReadonlyMap<string, string> = new Map([["profile", "subscriptionProfile"]]);

/**
 * Reads a handler's options. `subscriptionConfig` wins over the options beside it (wire 10.3); undefined and
 * null count as not given.
 */
export function handlerValues({ name, options }: SubscribingHandler): HandlerValues {
  const problems: ConfigurationProblem[] = [];
  const given: Record<string, unknown> = {};
  const config = options.subscriptionConfig ?? {};
  const beside = {
    profile: options.subscriptionProfile,
    idempotent: options.idempotent,
    concurrency: options.concurrency,
  };
  for (const [key, value] of [...Object.entries(beside), ...Object.entries(config)]) {
    const setting = KEYS.get(key);
    if (value === undefined || value === null) continue;
    if (setting !== undefined) given[setting] = value;
    else problems.push(unknownOption(name, key, value));
  }

  const judged = (values: Record<string, unknown>): SubscriptionTable => {
    const nameOf = ([first]: Path) => {
      const key = camelCase(String(first));
      return Object.hasOwn(config, key) ? key : OPTIONS.get(key) ?? key;
    };
    for (const issue of subscriptionSchema.safeParse(values).error?.issues ?? []) {
      // One value may break several rules: it is told once.
      if (!Object.hasOwn(values, String(issue.path[0]))) continue;
      const { code, path, message } = refusedValue(subscriptionSchema, issue, values, nameOf);
      problems.push({ code, key: nameOf(path), message: `Handler '${name}': ${message}` });
      delete values[String(path[0])];
    }
    return subscriptionSchema.parse(values);
  };
  const values = judged(given);
  const type = judged({ subscription_type: options.subscriptionType ?? undefined });
  // Code without types may hold anything.
  const field: unknown = options.sequentialBy ?? undefined;
  if (field !== undefined && (typeof field !== "string" || field === "")) {
    const message = `Handler '${name}': 'sequentialBy' must name a field of the payload: current value is ${
      shown("sequentialBy", field)
    }.`;
    const code = field === "" ? "CONFIG_INVALID_VALUE" : "CONFIG_WRONG_TYPE";
    problems.push({ code, key: "sequentialBy", message });
  }
  return { values, type, problems };
}

function unknownOption(handler: string, key: string, value: unknown): ConfigurationProblem {
  const hint = endingWithHint(key, KEYS.keys());
  const message = `Handler '${handler}': unknown key '${key}' in subscriptionConfig (current value is ${
    shown(key, value)
  })${hint}`;
  return { code: "CONFIG_UNKNOWN_KEY", key, message };
}
