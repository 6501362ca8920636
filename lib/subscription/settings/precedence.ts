/**
 * The levels that a subscription's settings are taken from, strongest first (wire 10.3, S13, CFG-5):
 *
 * 1. the handler's `subscriptionConfig`, then the options beside it;
 * 2. the profile that the handler names;
 * 3. `[server.subscriptions.<Handler>]`, then `[server.subscriptions."Commands:<category>"]` for a command
 *    handler;
 * 4. the profile named there;
 * 5. what the user set in `[server]`;
 * 6. `default_subscription_profile`;
 * 7. the defaults.
 *
 * Only the strongest profile counts: it describes a workload as a whole.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/load.ts";
import {
  type ProfileSettings,
  settingShape,
  type SubscriptionTable,
} from "../../config/schema/subscription.ts";
import { dotted, type Path, valueAt } from "../../config/tree.ts";
import { KINDS, settingsTables } from "../../domain/kinds.ts";
import type { SubscribingHandler } from "./handler_options.ts";
import { profileSettings } from "./profiles.ts";

/** How messages are read. */
export type SubscriptionType = "stream" | "event_store";

/** Values of one level of precedence; what a level leaves out is left to the next. */
export interface Level {
  /** `handler`, `profile fast`, `[server.subscriptions.Audit]`, `[server]`, `default`. */
  readonly source: string;
  readonly values: SubscriptionTable;
  /** The table of the configuration that the values stand in. */
  readonly path?: Path;
}

/** A profile that was asked for. */
export interface NamedProfile {
  readonly name: string;
  /** The level that names it. */
  readonly by: Level;
}

/** The tables of `[server.subscriptions]` that are about a handler. */
export function handlerTables(
  { config }: LoadedConfig,
  handler: SubscribingHandler,
  category: string,
): Level[] {
  return settingsTables(handler, category)
    .filter((name) => Object.hasOwn(config.server.subscriptions, name))
    .map((name) => {
      const path: Path = ["server", "subscriptions", name];
      return { source: `[${dotted(path)}]`, values: config.server.subscriptions[name] ?? {}, path };
    });
}

/** The level that holds nothing but `default_subscription_profile`. */
export function defaultProfile({ config }: LoadedConfig): Level {
  const profile = config.server.default_subscription_profile;
  return { source: "[server]", values: profile === undefined ? {} : { profile }, path: ["server"] };
}

/** All levels in order, for a subscription of this type. `specific` are those of the handler itself. */
export function precedence(
  loaded: LoadedConfig,
  handler: SubscribingHandler,
  specific: readonly Level[],
  profile: NamedProfile | undefined,
  type: SubscriptionType,
): Level[] {
  const isRaw = KINDS[handler.kind].messages === "raw";
  const expanded: Level[] = profile
    ? [{ source: `profile ${profile.name}`, values: profileValues(loaded, profile, isRaw) }]
    : [];
  const after = (level: Level) => profile?.by === level ? [level, ...expanded] : [level];
  const isDefault = profile !== undefined && !specific.includes(profile.by);
  const place = isRaw ? "broker" : type;
  return [
    ...specific.flatMap(after),
    serverLevel(loaded, place, true),
    ...(isDefault ? expanded : []),
    { source: "default", values: ownDefaults(handler) },
    serverLevel(loaded, place, false),
  ];
}

function profileValues({ config }: LoadedConfig, { name }: NamedProfile, isRaw: boolean): SubscriptionTable {
  const values = Object.entries(profileSettings(config, name) ?? {});
  return Object.fromEntries(values.filter(([key]) => !isRaw || !ABOUT_OWN_STREAMS.includes(key)));
}

/** What `[server]` says: either the keys that the user set, or the defaults of the others. */
function serverLevel(loaded: LoadedConfig, type: SubscriptionType | "broker", isSet: boolean): Level {
  const keys = Object.keys(settingShape) as (keyof ProfileSettings)[];
  const values = keys
    .filter((key) => type !== "broker" || !ABOUT_OWN_STREAMS.includes(key))
    .map((key) => ({ key, path: serverPath(loaded, key, type) }))
    .filter(({ path }) => loaded.origins.has(dotted(path)) === isSet)
    .map(({ key, path }) => [key, valueAt(loaded.config, path)]);
  return { source: isSet ? "[server]" : "default", values: Object.fromEntries(values), path: ["server"] };
}

/**
 * What `[server]` and profiles say of the streams of the domain, and not of those of others: what a subscriber
 * reads is never trimmed unless it says so itself.
 */
const ABOUT_OWN_STREAMS: readonly string[] = ["subscription_type", "retention_maxlen"];

/**
 * Where `[server]` holds a setting. What a table of its own says for subscribers (`broker`) goes before. Both types have a table of their own; what only one of them knows is
 * taken from there, whatever the type.
 */
export function serverPath(
  { config: { server } }: LoadedConfig,
  key: string,
  type: SubscriptionType | "broker",
): Path {
  if (key === "subscription_type") return ["server", "default_subscription_type"];
  if (Object.hasOwn(server, key)) return ["server", key];
  if (type === "broker" && Object.hasOwn(server.broker_subscription, key)) {
    return ["server", "broker_subscription", key];
  }
  const inStream = Object.hasOwn(server.stream_subscription, key);
  const inEventStore = Object.hasOwn(server.event_store_subscription, key);
  const table = inEventStore && (type === "event_store" || !inStream)
    ? "event_store_subscription"
    : "stream_subscription";
  return ["server", table, key];
}

/** Defaults that depend on the handler: delivery 16, and delivery 1 for groups that Python may share. */
function ownDefaults({ kind, sharedGroup }: SubscribingHandler): SubscriptionTable {
  return {
    ...(KINDS[kind].idempotent ? { idempotent: true } : {}),
    ...(sharedGroup ? { claim_idle_ms: 300_000 } : {}),
  };
}

/**
 * Values of `[server]` that `default_subscription_profile` stands in for, because the user did not set them
 * (CFG-5).
 */
export function governedByProfile(loaded: LoadedConfig): { readonly path: Path; readonly value: unknown }[] {
  const { default_subscription_profile: name, default_subscription_type: ownType } = loaded.config.server;
  const profile = (name !== undefined && profileSettings(loaded.config, name)) || {};
  const isTypeSet = loaded.origins.has("server.default_subscription_type");
  const type = isTypeSet ? ownType : profile.subscription_type ?? ownType;
  return Object.entries(profile)
    .filter(([key, value]) => Object.hasOwn(settingShape, key) && value !== undefined)
    .map(([key, value]) => ({ path: serverPath(loaded, key, type), value }))
    .filter(({ path }) => !loaded.origins.has(dotted(path)));
}
