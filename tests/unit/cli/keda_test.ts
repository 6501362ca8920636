/** What KEDA is told of a domain's Redis. */
import { assertEquals } from "@std/assert";
import { parse } from "yaml";
import { type KedaGroup, scaledObject } from "../../../lib/cli/keda.ts";
import type { HandlerRunner } from "../../../lib/domain/handler_port.ts";

const OPTIONS = {
  ...{ deployment: "shop", min: 1, max: 4, target: 50 },
  ...{ addressFromEnv: "ADDRESS", usernameFromEnv: "USER", passwordFromEnv: "PASSWORD" },
};

function group(URI: string, more: Partial<KedaGroup> = {}): KedaGroup {
  const runner = { group: "shop.Mails" } as HandlerRunner;
  return { runner, category: "shop::order", backfill: undefined, redis: { URI }, parted: false, ...more };
}

interface Trigger {
  readonly type: string;
  readonly metadata: Readonly<Record<string, string>>;
}

function triggers(...groups: readonly KedaGroup[]): readonly Trigger[] {
  return (parse(scaledObject(groups, OPTIONS)) as { spec: { triggers: Trigger[] } }).spec.triggers;
}

const OF_GROUP = { stream: "shop::order", consumerGroup: "shop.Mails" };

for (
  const [uri, type, place] of [
    ["redis://redis:6379", "redis-streams", { addressFromEnv: "ADDRESS" }],
    ["redis://redis:6379/0", "redis-streams", { addressFromEnv: "ADDRESS" }],
    ["redis://redis:6379/3", "redis-streams", { addressFromEnv: "ADDRESS", databaseIndex: "3" }],
    ["redis://redis?db=3", "redis-streams", { addressFromEnv: "ADDRESS", databaseIndex: "3" }],
    ["redis://:p/1@redis:6379", "redis-streams", { addressFromEnv: "ADDRESS", passwordFromEnv: "PASSWORD" }],
    ["rediss://u:p@redis/0", "redis-streams", {
      ...{ addressFromEnv: "ADDRESS", usernameFromEnv: "USER", passwordFromEnv: "PASSWORD" },
      enableTLS: "true",
    }],
    ["redis+sentinel://:p@a:1,b:2/main/2?sentinel_password=s", "redis-sentinel-streams", {
      ...{ addressesFromEnv: "ADDRESS", passwordFromEnv: "PASSWORD", sentinelMaster: "main" },
      ...{ sentinelPasswordFromEnv: "SENTINEL_PASSWORD", databaseIndex: "2" },
    }],
    ["redis+cluster://a:1,b:2", "redis-cluster-streams", {
      ...{ addressesFromEnv: "ADDRESS", stream: "{shop::order}" },
    }],
  ] as const
) {
  Deno.test(`KEDA is told how to reach ${uri}`, () => {
    assertEquals(triggers(group(uri)), [
      { type, metadata: { ...OF_GROUP, ...place, lagCount: "50", activationLagCount: "0" } },
      { type, metadata: { ...OF_GROUP, ...place, pendingEntriesCount: "50" } },
    ]);
  });
}

Deno.test("a password from elsewhere is asked for, and no stream is named that comes and goes", () => {
  const redis = { URI: "redis://redis", password_file: "/run/secrets/redis" };
  const told = triggers(
    group("", { redis, backfill: "shop::order:backfill" }),
    group("redis://r", { parted: true }),
  );
  assertEquals(told.map(({ metadata }) => metadata["stream"]), [
    ...["shop::order", "shop::order", "shop::order:backfill", "shop::order:backfill"],
  ]);
  assertEquals(told[0]?.metadata["passwordFromEnv"], "PASSWORD");
});
