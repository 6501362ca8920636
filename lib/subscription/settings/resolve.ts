/**
 * What one subscription runs with, resolved from the handler, `domain.toml`, profiles and defaults
 * (`precedence.ts` has the order; S13 to S21).
 *
 * @module
 */
import type { LoadedConfig } from "../../config/load.ts";
import { endingWithHint } from "../../config/nearest.ts";
import { configurationError } from "../../config/problems.ts";
import type { SubscriptionTable } from "../../config/schema/subscription.ts";
import { dotted } from "../../config/tree.ts";
import { KINDS } from "../../domain/kinds.ts";
import type { ConfigurationProblem } from "../../errors.ts";
import { handlerValues, type SubscribingHandler } from "./handler_options.ts";
import {
  defaultProfile,
  handlerTables,
  type Level,
  type NamedProfile,
  precedence,
  type SubscriptionType,
} from "./precedence.ts";
import { profileNames, profileSettings } from "./profiles.ts";

export type { SubscribingHandler } from "./handler_options.ts";

/** Settings of one subscription, all resolved. */
export interface SubscriptionSettings {
  readonly subscriptionType: SubscriptionType;
  /** The profile that applies, as it was named; undefined: none. */
  readonly profile: string | undefined;
  /** Messages read at once. */
  readonly messagesPerTick: number;
  /** Seconds between reads. */
  readonly tickIntervalSeconds: number;
  readonly blockingTimeoutMs: number;
  /** Attempts in all for `stream`, retries after the first failure for `event_store` (delivery 3). */
  readonly maxRetries: number;
  readonly retryDelaySeconds: number;
  readonly retryMaxDelaySeconds: number;
  /** False: what cannot be handled is discarded. Always false for `event_store`. */
  readonly enableDlq: boolean;
  readonly positionUpdateInterval: number;
  readonly circuitBreakerThreshold: number;
  readonly circuitBreakerResetSeconds: number;
  /** Soft cap of the stream's length; undefined: none. Always undefined for `event_store`. */
  readonly retentionMaxlen: number | undefined;
  readonly concurrency: number;
  /** Defaults to true for command handlers (delivery 16). */
  readonly idempotent: boolean;
  /** Defaults to 30000, and to 300000 for a group that may be shared with Python (delivery 1). */
  readonly claimIdleMs: number;
  readonly claimIntervalMs: number;
  /** Defaults to `maxRetries` + 2. */
  readonly maxDeliveries: number;
  readonly dlqRetentionHours: number;
  readonly dlqAlertThreshold: number;
  /** Payload field whose equal values are handled one after the other, across processes. */
  readonly sequentialBy: string | undefined;
}

export interface ResolveOptions {
  readonly config: LoadedConfig;
  readonly handler: SubscribingHandler;
  /** The stream category that is subscribed to, such as `my_domain::order` or `my_domain::order:command`. */
  readonly category: string;
}

/** Settings, and what decided each. */
export interface ExplainedSettings {
  readonly settings: SubscriptionSettings;
  /**
   * By the keys of `domain.toml`: `handler`, `profile fast`, `[server.subscriptions.Audit]`, `[server]`, … A
   * key that is not here is nowhere set and has no default of its own.
   */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * Resolves a subscription's settings. Throws one `ConfigurationError` that lists everything wrong with them.
 */
export function resolveSettings(options: ResolveOptions): SubscriptionSettings {
  return explainSettings(options).settings;
}

/** Resolves a subscription's settings and says where each came from. Throws as `resolveSettings` does. */
export function explainSettings({ config: loaded, handler, category }: ResolveOptions): ExplainedSettings {
  const own = handlerValues(handler);
  const specific: Level[] = [
    { source: "handler", values: own.values },
    ...handlerTables(loaded, handler, category),
  ];
  const isRaw = KINDS[handler.kind].messages === "raw";
  // The default profile is about the domain's own messages.
  const profile = namedProfile(isRaw ? specific : [...specific, defaultProfile(loaded)]);
  const decideFor = (type: SubscriptionType) => decide(precedence(loaded, handler, specific, profile, type));

  // Which defaults apply depends on the type; the type itself does not.
  const asked = decideFor("stream").values.subscription_type;
  const type = isRaw ? "stream" : asked;
  const problems = [
    ...own.problems,
    ...unknownProfile(loaded, handler, profile),
    ...(type === "event_store" ? notForEventStore(loaded, handler, specific) : []),
    ...(isRaw && asked === "event_store" ? [notForSubscribers(handler)] : []),
  ];
  if (problems.length > 0) throw configurationError(problems);

  const { values, sources } = decideFor(type);
  const { dlq } = loaded.config.server;
  const settings: SubscriptionSettings = {
    subscriptionType: type,
    profile: profile?.name,
    messagesPerTick: values.messages_per_tick,
    tickIntervalSeconds: values.tick_interval,
    blockingTimeoutMs: values.blocking_timeout_ms,
    maxRetries: values.max_retries,
    retryDelaySeconds: values.retry_delay_seconds,
    retryMaxDelaySeconds: values.retry_max_delay_seconds,
    enableDlq: type === "stream" && values.enable_dlq,
    positionUpdateInterval: values.position_update_interval,
    circuitBreakerThreshold: values.circuit_breaker_threshold,
    circuitBreakerResetSeconds: values.circuit_breaker_reset_seconds,
    retentionMaxlen: type === "stream" ? values.retention_maxlen : undefined,
    concurrency: values.concurrency,
    idempotent: values.idempotent,
    claimIdleMs: values.claim_idle_ms,
    claimIntervalMs: values.claim_interval_ms,
    maxDeliveries: values.max_deliveries ?? values.max_retries + 2,
    dlqRetentionHours: values.dlq_retention_hours ?? dlq.retention_hours,
    dlqAlertThreshold: values.dlq_alert_threshold ?? dlq.alert_threshold,
    sequentialBy: handler.options.sequentialBy,
  };
  return { settings, sources };
}

/** Settings without a default of their own. */
type Optional =
  | "profile"
  | "retention_maxlen"
  | "max_deliveries"
  | "dlq_retention_hours"
  | "dlq_alert_threshold"
  | "origin_stream"
  | "stream_category";

type Decided =
  & Pick<SubscriptionTable, Optional>
  & { [K in Exclude<keyof SubscriptionTable, Optional>]-?: NonNullable<SubscriptionTable[K]> };

/** The strongest value of every setting; the last level, the schema's defaults, has them all. */
function decide(levels: readonly Level[]): { values: Decided; sources: ReadonlyMap<string, string> } {
  const values: Record<string, unknown> = {};
  const sources = new Map<string, string>();
  for (const { source, values: own } of levels.toReversed()) {
    for (const [key, value] of Object.entries(own)) {
      if (value === undefined) continue;
      values[key] = value;
      sources.set(key, source);
    }
  }
  return { values: values as Decided, sources };
}

/** The strongest profile that is named anywhere. */
function namedProfile(levels: readonly Level[]): NamedProfile | undefined {
  for (const by of levels) {
    if (by.values.profile !== undefined) return { name: by.values.profile, by };
  }
  return undefined;
}

/** Those named in the configuration were checked when it was loaded; a handler's own is checked here. */
function unknownProfile(
  { config }: LoadedConfig,
  handler: SubscribingHandler,
  profile: NamedProfile | undefined,
): ConfigurationProblem[] {
  if (!profile || profileSettings(config, profile.name)) return [];
  const names = profileNames(config);
  const message =
    `Handler '${handler.name}': there is no subscription profile '${profile.name}'; the profiles are ${
      names.join(", ")
    }${endingWithHint(profile.name, names)}`;
  return [{ code: "CONFIG_UNKNOWN_PROFILE", key: "subscriptionProfile", message }];
}

/** There is no other system's stream in the event store. */
function notForSubscribers({ name }: SubscribingHandler): ConfigurationProblem {
  return {
    code: "CONFIG_INVALID_VALUE",
    key: "subscriptionType",
    message:
      `Handler '${name}': a subscriber reads a broker's stream, never the event store: leave its subscription ` +
      "type out.",
  };
}

/** S19: what somebody asked of this very handler must be possible; what it merely inherits is dropped. */
function notForEventStore(
  { origins }: LoadedConfig,
  handler: SubscribingHandler,
  specific: readonly Level[],
): ConfigurationProblem[] {
  return specific.flatMap(({ source, values, path }) => {
    const wrong = [
      ...(values.enable_dlq ? ["enable_dlq"] : []),
      ...(values.retention_maxlen !== undefined ? ["retention_maxlen"] : []),
    ];
    return wrong.map((key) => {
      const origin = path && origins.get(dotted([...path, key]));
      return {
        code: "CONFIG_INVALID_VALUE",
        key: path ? dotted([...path, key]) : key,
        ...(origin?.file === undefined ? {} : { file: origin.file }),
        ...(origin?.line === undefined ? {} : { line: origin.line }),
        message:
          `${key} is not supported for EVENT_STORE: handler '${handler.name}' reads the event store; take it out of ${
            path ? source : "its options"
          }, or make the subscription type "stream".`,
      };
    });
  });
}
