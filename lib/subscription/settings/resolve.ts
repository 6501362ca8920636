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
  /**
   * Set where this is a stream subscription only because the domain has no event store: the profile, as in
   * `sources`, that would read one (delivery 15).
   */
  readonly insteadOf?: string;
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
    { source: "handler", values: own.type },
    ...handlerTables(loaded, handler, category),
  ];
  const isRaw = KINDS[handler.kind].messages === "raw";
  const levelsFor = (type: SubscriptionType) => precedence(loaded, handler, specific, type);

  // Which defaults apply depends on the type; the type itself does not.
  const asked = decide(levelsFor("stream"));
  const insteadOf = isRaw ? undefined : standsIn(loaded, levelsFor("stream"), asked);
  const type = isRaw || insteadOf !== undefined ? "stream" : asked.values.subscription_type;
  const named = [...specific, ...isRaw ? [] : [defaultProfile(loaded)]].flatMap(({ values: { profile } }) =>
    profile ?? []
  );
  const problems = [
    ...own.problems,
    ...unknownProfiles(loaded, handler, named),
    ...(type === "event_store" ? notForEventStore(loaded, handler, specific) : []),
    ...(type === "event_store" ? noEventStore(loaded, handler, levelsFor("event_store")) : []),
    ...(isRaw && asked.values.subscription_type === "event_store" ? [notForSubscribers(handler)] : []),
  ];
  if (problems.length > 0) throw configurationError(problems);

  const levels = levelsFor(type);
  const decided = decide(insteadOf === undefined ? levels : onStream(levels));
  const { values } = decided;
  const sources = new Map(decided.sources);
  if (type === "event_store") {
    sources.set("enable_dlq", "event_store").set("retention_maxlen", "event_store");
  }
  const settings: SubscriptionSettings = {
    subscriptionType: type,
    profile: named[0],
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
    dlqRetentionHours: values.dlq_retention_hours,
    dlqAlertThreshold: values.dlq_alert_threshold,
    sequentialBy: handler.options.sequentialBy,
  };
  return { settings, sources, ...(insteadOf !== undefined && { insteadOf }) };
}

/** Settings without a default of their own. */
type Optional =
  | "profile"
  | "retention_maxlen"
  | "max_deliveries"
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

/**
 * The profile that alone brings the type `event_store` where there is no event store: nobody asked for one,
 * so the messages come by the stream.
 */
function standsIn(
  { config }: LoadedConfig,
  levels: readonly Level[],
  { values, sources }: ReturnType<typeof decide>,
): string | undefined {
  if (config.event_store || values.subscription_type !== "event_store") return undefined;
  const isAskedFor = levels.some((level) =>
    !level.isProfile && level.values.subscription_type === "event_store"
  );
  return isAskedFor ? undefined : sources.get("subscription_type");
}

/** What profiles say of the type and of dead letters is meant for the event store, and left out. */
function onStream(levels: readonly Level[]): readonly Level[] {
  const instead: Level = {
    source: "no [event_store]",
    values: { subscription_type: "stream", enable_dlq: true },
  };
  return levels.map((level) =>
    level.isProfile
      ? { ...level, values: { ...level.values, subscription_type: undefined, enable_dlq: undefined } }
      : level
  ).toSpliced(levels.findIndex(({ isProfile }) => isProfile), 0, instead);
}

function noEventStore(
  { config }: LoadedConfig,
  { name }: SubscribingHandler,
  levels: readonly Level[],
): ConfigurationProblem[] {
  if (config.event_store) return [];
  const asked = levels.find(({ values, isProfile }) =>
    !isProfile && values.subscription_type === "event_store"
  );
  const message = `Handler '${name}' is to read the event store, as ${
    asked?.path ? `${asked.source} says` : "its options say"
  }, and this domain has none: configure [event_store], or make the subscription type "stream".`;
  return [{ code: "CONFIG_NO_EVENT_STORE", key: "subscriptionType", message }];
}

/** Those named in the configuration were checked when it was loaded; a handler's own is checked here. */
function unknownProfiles(
  { config }: LoadedConfig,
  handler: SubscribingHandler,
  named: readonly string[],
): ConfigurationProblem[] {
  return named.filter((profile) => !profileSettings(config, profile)).map((profile) => {
    const names = profileNames(config);
    const message =
      `Handler '${handler.name}': there is no subscription profile '${profile}'; the profiles are ${
        names.join(", ")
      }${endingWithHint(profile, names)}`;
    return { code: "CONFIG_UNKNOWN_PROFILE", key: "subscriptionProfile", message };
  });
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
