/**
 * What must hold between keys, where a schema of single keys cannot tell. Works on a tree that may still be
 * invalid, so that these problems are reported together with all others.
 *
 * @module
 */
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { currently, type Finding, unknownKey } from "./problems.ts";
import { endingWithHint } from "./nearest.ts";
import { isPythonOnly } from "./python_only.ts";
import { configSchema } from "./schema.ts";
import { BUILT_IN_PROFILES } from "./schema/subscription.ts";
import { strayBlank } from "./uri_text.ts";
import { dotted, isTable, type Path, type Table, tableAt, valueAt } from "./tree.ts";
import { keysOf, schemaAt } from "./walk.ts";

/** The built-in providers that need to be told where their server is, and by which key. */
const ADAPTER_TABLES = [
  {
    section: "databases",
    uri: "database_uri",
    builtIn: ["memory", "sqlite", "postgresql"],
    remote: "postgresql",
  },
  { section: "brokers", uri: "URI", builtIn: ["memory", "sqlite", "redis"], remote: "redis" },
  { section: "caches", uri: "URI", builtIn: ["memory", "sqlite", "redis"], remote: "redis" },
] as const;

/** Every broken rule. */
export function brokenRules(tree: Table): Finding[] {
  return [
    ...adapterRules(tree),
    ...strayBlanks(tree),
    ...outboxRules(tree),
    ...sizeRules(tree),
    ...profileRules(tree),
    ...profileReferences(tree),
    ...partitioningRules(tree),
    ...metricsRules(tree),
    ...alertRules(tree),
  ];
}

function* adapterRules(tree: Table): Generator<Finding> {
  for (const { section, uri, builtIn, remote } of ADAPTER_TABLES) {
    for (const name of Object.keys(tableAt(tree, [section]))) {
      yield* adapterTable(tree, [section, name], uri, builtIn, remote);
    }
  }
  yield* adapterTable(
    tree,
    ["event_store"],
    "database_uri",
    ["memory", "sqlite", "message_db"],
    "message_db",
  );
}

/** A custom adapter's table may hold anything; a built-in one's may not. */
function* adapterTable(
  tree: Table,
  path: Path,
  uri: string,
  builtIn: readonly string[],
  remote: string,
): Generator<Finding> {
  const table = tableAt(tree, path);
  const provider = table["provider"] === "inline" ? "memory" : String(table["provider"]);
  if (!builtIn.includes(provider)) return;
  const schema = schemaAt(configSchema, path);
  const known = (schema && keysOf(schema)) ?? [];
  for (const [key, value] of Object.entries(table)) {
    if (known.includes(key) || isPythonOnly([...path, key])) continue;
    yield unknownKey(configSchema, [...path, key], value);
  }
  if (provider === remote && table[uri] === undefined) {
    yield {
      code: "CONFIG_MISSING_KEY",
      path: [...path, uri],
      message: `'${
        dotted([...path, uri])
      }' is missing: provider '${provider}' needs to know where its server is.`,
    };
  }
}

/** Once for each text: a cache or event store that nobody has named has the address of another section. */
function* strayBlanks(tree: Table): Generator<Finding> {
  const told = new Set<unknown>();
  const tables = ADAPTER_TABLES.flatMap(({ section, uri }) =>
    Object.keys(tableAt(tree, [section])).map((name): Path => [section, name, uri])
  );
  for (const path of [...tables, ["event_store", "database_uri"]]) {
    const value = valueAt(tree, path);
    const stray = typeof value === "string" && !told.has(value) ? strayBlank(value) : undefined;
    if (stray === undefined) continue;
    told.add(value);
    yield { code: "CONFIG_BAD_URI", path, message: `'${dotted(path)}' ${stray}.` };
  }
}

function* outboxRules(tree: Table): Generator<Finding> {
  const brokers = Object.keys(tableAt(tree, ["brokers"]));
  const external = valueAt(tree, ["outbox", "external_brokers"]);
  const named: { path: Path; value: unknown }[] = [
    { path: ["outbox", "broker"], value: valueAt(tree, ["outbox", "broker"]) },
    ...(Array.isArray(external) ? external : [])
      .map((value: unknown, index) => ({ path: ["outbox", "external_brokers", index], value })),
  ];
  for (const { path, value } of named) {
    if (typeof value !== "string" || brokers.includes(value)) continue;
    yield {
      code: "CONFIG_INVALID_VALUE",
      path,
      message: `'${dotted(path)}' must name one of [brokers]: ${currently(path, value)}${
        endingWithHint(value, brokers)
      }`,
    };
  }
  if (
    valueAt(tree, ["enable_outbox"]) === true &&
    valueAt(tree, ["server", "default_subscription_type"]) === "event_store"
  ) {
    yield {
      code: "CONFIG_INVALID_VALUE",
      path: ["enable_outbox"],
      message:
        "'enable_outbox' cannot be true while 'server.default_subscription_type' is \"event_store\": set that to \"stream\", or leave the outbox out.",
    };
  }
}

/** What is sent here is read here, with its metadata. */
function* sizeRules(tree: Table): Generator<Finding> {
  const [sent, received] = ["max_message_bytes", "max_received_bytes"].map((key) =>
    valueAt(tree, ["server", key])
  );
  const most = received ?? MAX_MESSAGE_BYTES;
  if (typeof sent !== "number" || typeof most !== "number" || sent <= most) return;
  const path = ["server", "max_message_bytes"];
  yield invalid(
    path,
    `'${dotted(path)}' must not be greater than 'server.max_received_bytes', which is ${most}: ${
      currently(path, sent)
    }`,
  );
}

/** Custom profiles are checked even if nobody uses them (S17). */
function* profileRules(tree: Table): Generator<Finding> {
  const seen = new Set<string>();
  const profiles = tableAt(tree, ["server", "profiles"]);
  for (const [name, profile] of Object.entries(profiles)) {
    const path: Path = ["server", "profiles", name];
    const folded = name.toLowerCase();
    if (isBuiltIn(folded)) {
      yield invalid(path, `Profile '${name}' has the name of a built-in profile: choose another name.`);
    } else if (seen.has(folded)) {
      yield invalid(
        path,
        `Profile '${name}' is there twice: names of profiles do not differ by letter case alone.`,
      );
    }
    seen.add(folded);
    const inherits = isTable(profile) ? profile["inherits"] : undefined;
    if (typeof inherits === "string" && !isBuiltIn(inherits.toLowerCase())) {
      yield invalid(
        [...path, "inherits"],
        `'${dotted([...path, "inherits"])}' must be a built-in profile, one of ${
          BUILT_IN_PROFILES.join(", ")
        }: ${currently([...path, "inherits"], inherits)}${endingWithHint(inherits, BUILT_IN_PROFILES)}`,
      );
    }
  }
}

/** Profiles named elsewhere must exist. */
function* profileReferences(tree: Table): Generator<Finding> {
  const names = [...BUILT_IN_PROFILES, ...Object.keys(tableAt(tree, ["server", "profiles"]))];
  const known = new Set(names.map((name) => name.toLowerCase()));
  const references: Path[] = [
    ["server", "default_subscription_profile"],
    ...Object.keys(tableAt(tree, ["server", "subscriptions"]))
      .map((handler) => ["server", "subscriptions", handler, "profile"]),
  ];
  for (const path of references) {
    const value = valueAt(tree, path);
    if (typeof value !== "string" || known.has(value.toLowerCase())) continue;
    yield {
      code: "CONFIG_UNKNOWN_PROFILE",
      path,
      message: `'${dotted(path)}' must be a profile, one of ${names.join(", ")}: ${currently(path, value)}${
        endingWithHint(value, names)
      }`,
    };
  }
}

/** A lease that is not renewed before it ends is lost again and again. */
function* partitioningRules(tree: Table): Generator<Finding> {
  const path: Path = ["server", "partitioning"];
  const { lease_ttl_ms: ttl = 15_000, heartbeat_interval_seconds: heartbeat } = tableAt(tree, path);
  if (typeof heartbeat !== "number" || typeof ttl !== "number" || heartbeat * 2000 <= ttl) return;
  const key = [...path, "heartbeat_interval_seconds"];
  yield invalid(
    key,
    `'${
      dotted(key)
    }' must be at most half of 'server.partitioning.lease_ttl_ms', which is ${ttl}, so that a ` +
      `lease is renewed before it ends: ${currently(key, heartbeat)}`,
  );
}

/** What the health port answers anyway. */
const PROBES = ["/livez", "/healthz", "/readyz", "/drainz", "/scale"];

function* metricsRules(tree: Table): Generator<Finding> {
  const path: Path = ["server", "metrics", "path"];
  const value = valueAt(tree, path);
  if (typeof value !== "string") return;
  if (PROBES.includes(value)) {
    yield invalid(path, `'${dotted(path)}' is '${value}', which is a probe: choose another path.`);
  } else if (/[?#\s]/.test(value)) {
    yield invalid(
      path,
      `'${dotted(path)}' must be a path without '?', '#' and blanks: ${currently(path, value)}`,
    );
  }
}

/** The address is a secret: it is not repeated. */
function* alertRules(tree: Table): Generator<Finding> {
  const path = ["alerts", "webhook"];
  const address = valueAt(tree, path);
  if (typeof address !== "string" || address === "") return;
  if (/^https?:\/\//.test(address) && URL.canParse(address)) return;
  yield invalid(path, "'alerts.webhook' must be an address that begins with http:// or https://.");
}

function isBuiltIn(name: string): boolean {
  return (BUILT_IN_PROFILES as readonly string[]).includes(name);
}

function invalid(path: Path, message: string): Finding {
  return { code: "CONFIG_INVALID_VALUE", path, message };
}

/**
 * `server.drain_timeout` is Python's name for it; a time that is none is no time to Python, which waits 10 s.
 */
export function drainTimeout(tree: Table): Table {
  const given = tableAt(tree, ["server"])["drain_timeout"];
  return Number(given) > 0 ? { drain_timeout_seconds: given } : {};
}
