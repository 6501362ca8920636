/**
 * The levels that a subscription's settings are taken from, strongest first (wire 10.3, S13, CFG-5):
 *
 * 1. the handler's `subscriptionConfig`, then `idempotent` and `concurrency` beside it;
 * 2. the profile that the handler names;
 * 3. the handler's `subscriptionType`;
 * 4. `[server.subscriptions.<Handler>]`, then the profile named there; for a command handler then
 *    `[server.subscriptions."Commands:<category>"]`, and the profile named there;
 * 5. what the user set in `[server]`;
 * 6. `default_subscription_profile`;
 * 7. the defaults.
 *
 * Each field is taken from the strongest level that has it.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/load.ts";
import { handlerOnlyShape, settingShape, type SubscriptionTable } from "../../config/schema/subscription.ts";
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
  /** What a profile sets; nobody asked for a single one of these values. */
  readonly isProfile?: true;
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
  type: SubscriptionType,
): Level[] {
  const isRaw = KINDS[handler.kind].messages === "raw";
  const place = isRaw ? "broker" : type;
  const profiles = (level: Level) =>
    profileOf(loaded, level).map((profile) => isRaw ? ofOthers(profile) : profile);
  const server = serverLevels(loaded, place);
  return [
    ...specific.flatMap((level) => [level, ...profiles(level)]),
    ...server.set,
    // The default profile is about the domain's own messages.
    ...isRaw ? [] : profiles(defaultProfile(loaded)),
    { source: "default", values: ownDefaults(handler) },
    ...server.unset,
  ];
}

/** What a profile says where the stream is another system's. */
function ofOthers(profile: Level): Level {
  return {
    ...profile,
    values: { ...profile.values, subscription_type: undefined, retention_maxlen: undefined },
  };
}

/** What the profile that a level names sets; it stands right below that level. */
function profileOf({ config }: LoadedConfig, { values: { profile } }: Level): Level[] {
  const values = profile === undefined ? undefined : profileSettings(config, profile);
  return values ? [{ source: `profile ${profile}`, values, isProfile: true }] : [];
}

/** What `[server]` and its tables say: the keys that the user set, and the defaults of the others. */
interface ServerLevels {
  readonly set: readonly Level[];
  readonly unset: readonly Level[];
}

/** They are alike for every handler, and a domain may have hundreds: found once for each configuration. */
const found = new WeakMap<LoadedConfig, Map<SubscriptionType | "broker", ServerLevels>>();

function serverLevels(loaded: LoadedConfig, type: SubscriptionType | "broker"): ServerLevels {
  const known = found.get(loaded) ?? new Map<SubscriptionType | "broker", ServerLevels>();
  found.set(loaded, known);
  const levels = known.get(type) ?? levelsOf(loaded, type);
  known.set(type, levels);
  return levels;
}

function levelsOf(loaded: LoadedConfig, type: SubscriptionType | "broker"): ServerLevels {
  const levels = Object.keys({ ...settingShape, ...handlerOnlyShape })
    .filter((key) => type !== "broker" || !ABOUT_OWN_STREAMS.includes(key))
    .map((key) => {
      const path = serverPath(loaded, key, type);
      const isSet = loaded.origins.has(dotted(path));
      const source = isSet ? `[${dotted(path.slice(0, -1))}]` : "default";
      const values = { [key]: valueAt(loaded.config, path) };
      return { isSet, level: { source, values, path: path.slice(0, -1) } };
    });
  const those = (wanted: boolean) => levels.filter(({ isSet }) => isSet === wanted).map(({ level }) => level);
  return { set: those(true), unset: those(false) };
}

/**
 * What `[server]` and profiles say of the streams of the domain, and not of those of others: what a subscriber
 * reads is never trimmed unless it says so itself.
 */
const ABOUT_OWN_STREAMS: readonly string[] = ["subscription_type", "retention_maxlen"];

/**
 * Where `[server]` holds a setting. Both types have a table of their own; what only one of them knows is
 * taken from there, whatever the type. What subscribers have a table for goes before (`broker`).
 */
export function serverPath(
  { config: { server } }: LoadedConfig,
  key: string,
  type: SubscriptionType | "broker",
): Path {
  if (key === "subscription_type") return ["server", "default_subscription_type"];
  if (Object.hasOwn(handlerOnlyShape, key)) return ["server", "dlq", key.replace(/^dlq_/, "")];
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
