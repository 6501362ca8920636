import { assertEquals, assertStringIncludes } from "@std/assert";
import type { SubscribingHandler } from "../../../../lib/subscription/settings/handler_options.ts";
import { settingsWithoutEffect } from "../../../../lib/subscription/settings/without_effect.ts";
import { streamsInstead, typesWithoutEffect } from "../../../../lib/subscription/settings/type_notes.ts";
import { settingsOfOtherType } from "../../../../lib/subscription/settings/other_type.ts";
import { unboundedStreams } from "../../../../lib/subscription/settings/unbounded.ts";
import { unservedSettings } from "../../../../lib/subscription/settings/unserved.ts";
import { load, loadObject } from "../../config/support.ts";

const handler = (name: string, subscriptionConfig: Record<string, unknown>): SubscribingHandler => ({
  name,
  kind: "event_handler",
  options: { subscriptionProfile: "fast", subscriptionConfig },
});

Deno.test("a key without effect is told by name, place, what is the case instead and what it waits for", async () => {
  const loaded = await load("[observatory]\ntrace_retention_days = 7\n");
  assertEquals([...settingsWithoutEffect(loaded, [])], [{
    code: "CONFIG_NO_EFFECT",
    level: "warning",
    key: "observatory.trace_retention_days",
    message:
      "'observatory.trace_retention_days' has no effect in this version, which lacks the dashboard: the ways of " +
      "messages are not kept.",
    file: "domain.toml",
    line: 2,
  }]);
});

Deno.test("what a handler sets in code is told with the handler, what its profile sets is not", async () => {
  const loaded = await loadObject({});
  const found = [...settingsWithoutEffect(loaded, [
    handler("Audit", {
      circuitBreakerThreshold: 3,
      positionUpdateInterval: 3,
      maxRetries: 2,
      dlqAlertThreshold: 9,
    }),
    handler("Mailer", { maxRetries: 2 }),
  ])];
  assertEquals(found.map(({ key }) => key), []);
});

Deno.test("what the way of reading does not know is told, where somebody has set it for the handler", async () => {
  const loaded = await loadObject({
    server: {
      event_store_subscription: { recovery_interval_seconds: 5 },
      subscriptions: { Mailer: { position_update_interval: 3 }, Shows: { claim_interval_ms: 7 } },
    },
  });
  const on = (runner: ReturnType<typeof handler>, subscriptionType: "stream" | "event_store") => ({
    ...{ runner, category: "shop::order" },
    settings: { subscriptionType },
  });
  const audit = handler("Audit", { positionUpdateInterval: 3, maxRetries: 2 });
  const streams = [on(audit, "stream"), on(handler("Mailer", {}), "stream")];
  assertEquals([...settingsOfOtherType(loaded, streams)].map(({ key }) => key), [
    "positionUpdateInterval",
    "position_update_interval",
    "server.event_store_subscription.recovery_interval_seconds",
  ]);
  const stored = [on(audit, "event_store"), on(handler("Shows", { blockingTimeoutMs: 9 }), "event_store")];
  const messages = [...settingsOfOtherType(loaded, stored)].map(({ message }) => message);
  assertEquals(messages, [
    "Handler 'Shows': 'blockingTimeoutMs' has no effect, because Shows reads the event store.",
    "[server.subscriptions.Shows]: 'claim_interval_ms' has no effect, because Shows reads the event store.",
  ]);
});

Deno.test("streams that no subscription trims are named together", () => {
  const on = (category: string, retentionMaxlen?: number) => ({ category, settings: { retentionMaxlen } });
  const streams = [
    on("shop::order", 5),
    on("shop::order"),
    on("shop::item"),
    on("shop::cart"),
    on("shop::cart"),
  ];
  const [note, ...others] = unboundedStreams(streams);
  assertEquals([note?.level, note?.code, others.length], ["info", "CONFIG_UNBOUNDED_STREAM", 0]);
  assertStringIncludes(note?.message ?? "", "Nothing trims the streams shop::item, shop::cart: set");
  assertEquals([...unboundedStreams([on("shop::order", 5)])], []);
});

Deno.test("what would break a promise of order or delivery is refused with one sentence each", () => {
  const able = { name: "default", partitions: {} };
  const unable = { name: "default", partitions: undefined };
  const ordered = { sequentialBy: "customerId", subscriptionType: "stream" } as const;
  for (const subscriptionType of ["stream", "event_store"] as const) {
    const plain = { sequentialBy: undefined, subscriptionType };
    assertEquals([...unservedSettings({ name: "Audit" }, plain, unable)], []);
  }
  const stored = unservedSettings({ name: "Audit" }, { ...ordered, subscriptionType: "event_store" }, able);
  assertEquals([...stored].map(({ code, key }) => [code, key]), [["CONFIG_NOT_SUPPORTED", "sequentialBy"]]);
  assertEquals([...unservedSettings({ name: "Audit" }, ordered, able)], []);
  const [problem, ...others] = unservedSettings({ name: "Audit" }, ordered, unable);
  assertEquals([problem?.code, others.length], ["CONFIG_NOT_SUPPORTED", 0]);
  assertStringIncludes(
    problem?.message ?? "",
    "Audit sets sequentialBy to 'customerId', and broker 'default' cannot",
  );
});

Deno.test("handlers that read a stream for want of an event store are told once, together", async () => {
  const projection = (name: string) => ({
    runner: { name, kind: "projector", options: { subscriptionProfile: "projection" } } as const,
    category: "shop::order",
  });
  const subscriptions = [projection("Summary"), projection("Summary"), projection("Totals")];
  const remote = await loadObject({
    databases: { default: { provider: "postgresql", database_uri: "postgresql://h/db" } },
    brokers: { default: { provider: "redis", URI: "redis://h" } },
  });
  const [note, ...others] = [...streamsInstead(remote, subscriptions)];
  assertEquals([note?.code, note?.level, others.length], ["CONFIG_NO_EVENT_STORE", "info", 0]);
  assertStringIncludes(note?.message ?? "", "Summary (profile projection), Totals (profile projection).");
  assertEquals([...streamsInstead(await loadObject({}), subscriptions)], []);
});

Deno.test("a subscriptionType that the handler's own profile overrules is told with what to write", async () => {
  const loaded = await loadObject({});
  const found = (options: SubscribingHandler["options"]) => [
    ...typesWithoutEffect(loaded, [{ name: "Audit", kind: "event_handler", options }]),
  ];
  const [warning] = found({ subscriptionProfile: "Projection", subscriptionType: "stream" });
  assertEquals([warning?.code, warning?.key], ["CONFIG_NO_EFFECT", "subscriptionType"]);
  assertStringIncludes(warning?.message ?? "", 'subscriptionConfig: { subscriptionType: "stream" }');
  assertEquals(found({ subscriptionProfile: "projection", subscriptionType: "event_store" }), []);
  assertEquals(found({ subscriptionType: "event_store" }), []);
  assertEquals(found({ subscriptionProfile: "fast" }), []);
});
