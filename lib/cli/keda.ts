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
}

type Group = Pick<PlannedSubscription, "category" | "backfill" | "runner">;

/** As YAML. `groups` read from Redis; each is in the order of its handler's declaration. */
export function scaledObject(groups: readonly Group[], options: KedaOptions): string {
  const { deployment, min, max, target, addressFromEnv, address } = options;
  const place = address === undefined
    ? `addressFromEnv: ${text(addressFromEnv)}`
    : `address: ${text(address)}`;
  const triggers = groups.flatMap(({ category, backfill, runner }) =>
    [category, ...backfill === undefined ? [] : [backfill]].flatMap((stream) =>
      ["lagCount", "pendingEntriesCount"].map((figure) =>
        [
          "    - type: redis-streams",
          "      metadata:",
          `        ${place}`,
          `        stream: ${text(stream)}`,
          `        consumerGroup: ${text(runner.group)}`,
          `        ${figure}: "${target}"`,
          // Or KEDA takes everything away where only a message or two wait.
          ...(figure === "lagCount" ? ['        activationLagCount: "0"'] : []),
        ].join("\n")
      )
    )
  );
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

/** Any text as YAML. */
function text(value: string): string {
  return JSON.stringify(value);
}
