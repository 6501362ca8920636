/**
 * A ScaledObject of KEDA for the subscriptions of a domain: what waits for each group, and what it has.
 *
 * @module
 */
import type { PlannedSubscription } from "../engine/subscription_plan.ts";

export interface KedaOptions {
  /** Name of the Deployment. */
  readonly deployment: string;
  readonly min: number;
  readonly max: number;
  /** Messages for each replica. */
  readonly target: number;
  /** Variable of the container with Redis's host and port; an `address` takes its place. */
  readonly addressFromEnv: string;
  readonly address?: string;
  /** Variables of the container with its user and password, where it asks for them. */
  readonly usernameFromEnv: string;
  readonly passwordFromEnv: string;
}

/** What reads from a Redis stream. */
export interface KedaGroup extends Pick<PlannedSubscription, "category" | "backfill" | "runner"> {
  /** The settings of its broker. */
  readonly redis: Readonly<Record<string, unknown>>;
  /** Its category is parted by key: its streams come and go, and no trigger can name them. */
  readonly parted: boolean;
}

/** As YAML. `groups` read from Redis; each is in the order of its handler's declaration. */
export function scaledObject(groups: readonly KedaGroup[], options: KedaOptions): string {
  const { deployment, min, max, target } = options;
  const triggers = groups.flatMap(({ category, backfill, runner, redis, parted }) => {
    const { kind, keyOf, metadata } = placeOf(redis, options);
    if (parted) {
      return [
        `    # ${text(runner.group)} reads a stream for each key of ${text(category)}: ask /scale for it.`,
      ];
    }
    return [category, ...backfill === undefined ? [] : [backfill]].flatMap((stream) =>
      ["lagCount", "pendingEntriesCount"].map((figure) =>
        [
          `    - type: ${kind}`,
          "      metadata:",
          ...[
            ...metadata,
            ["stream", keyOf(stream)],
            ["consumerGroup", runner.group],
            [figure, `${target}`],
            // Or KEDA takes everything away where only a message or two wait.
            ...figure === "lagCount" ? [["activationLagCount", "0"] as const] : [],
          ].map(([name = "", value = ""]) => `        ${name}: ${text(value)}`),
        ].join("\n")
      )
    );
  });
  return [
    "apiVersion: keda.sh/v1alpha1",
    "kind: ScaledObject",
    "metadata:",
    `  name: ${text(deployment)}`,
    "spec:",
    "  scaleTargetRef:",
    `    name: ${text(deployment)}`,
    `  minReplicaCount: ${min}`,
    `  maxReplicaCount: ${max}`,
    "  pollingInterval: 15",
    "  cooldownPeriod: 300",
    "  triggers:",
    ...triggers,
    "",
  ].join("\n");
}

type Field = readonly [name: string, value: string];

/** How KEDA is told of a Redis: the kind of its trigger, what stands in each, and the key of a stream there. */
function placeOf(redis: Readonly<Record<string, unknown>>, options: KedaOptions): {
  readonly kind: string;
  readonly metadata: readonly Field[];
  readonly keyOf: (stream: string) => string;
} {
  const [, scheme = "", user = "", path = "", query = ""] =
    /^([^:]*):\/\/(?:(.*)@)?[^/?]*\/?([^?]*)\??(.*)$/s.exec(String(redis["URI"])) ?? [];
  const isCluster = scheme === "redis+cluster";
  const isSentinel = scheme === "redis+sentinel";
  const parameters = new URLSearchParams(query);
  const [first = "", second = ""] = path.split("/");
  const database = (isSentinel ? second : first) || parameters.get("db") || "0";
  const address = isCluster || isSentinel ? "addresses" : "address";
  const hasPassword = /:./s.test(user) || redis["password_file"] !== undefined ||
    redis["password_command"] !== undefined;
  const fields: (Field | false)[] = [
    options.address === undefined
      ? [`${address}FromEnv`, options.addressFromEnv]
      : [address, options.address],
    /^[^:]/.test(user) && ["usernameFromEnv", options.usernameFromEnv],
    hasPassword && ["passwordFromEnv", options.passwordFromEnv],
    isSentinel && ["sentinelMaster", first],
    parameters.has("sentinel_username") && ["sentinelUsernameFromEnv", `SENTINEL_${options.usernameFromEnv}`],
    parameters.has("sentinel_password") && ["sentinelPasswordFromEnv", `SENTINEL_${options.passwordFromEnv}`],
    database !== "0" && ["databaseIndex", database],
    scheme === "rediss" && ["enableTLS", "true"],
  ];
  return {
    kind: isCluster ? "redis-cluster-streams" : isSentinel ? "redis-sentinel-streams" : "redis-streams",
    metadata: fields.filter((field) => field !== false),
    // As the broker of a Cluster tags them: {shop::order}, {shop::order}:backfill.
    keyOf: (stream) => isCluster ? stream.replace(/^((?:[^:]*::)?[^:]*)/s, "{$1}") : stream,
  };
}

/** Any text as YAML. */
function text(value: string): string {
  return JSON.stringify(value);
}
