import { assertEquals, assertStringIncludes } from "@std/assert";
import type { SubscribingHandler } from "../../../../lib/subscription/settings/handler_options.ts";
import { settingsWithoutEffect } from "../../../../lib/subscription/settings/without_effect.ts";
import { unboundedStreams } from "../../../../lib/subscription/settings/unbounded.ts";
import { unservedSettings } from "../../../../lib/subscription/settings/unserved.ts";
import { load, loadObject } from "../../config/support.ts";

const handler = (name: string, subscriptionConfig: Record<string, unknown>): SubscribingHandler => ({
  name,
  kind: "event_handler",
  options: { subscriptionProfile: "fast", subscriptionConfig },
});

Deno.test("a key without effect is told by name, place, what is the case instead and what it waits for", async () => {
  const loaded = await load("[server.metrics]\nenabled = true\n");
  assertEquals([...settingsWithoutEffect(loaded, [])], [{
    code: "CONFIG_NO_EFFECT",
    level: "warning",
    key: "server.metrics.enabled",
    message:
      "'server.metrics.enabled' has no effect in this version, which lacks metrics: there is no such page.",
    file: "domain.toml",
    line: 2,
  }]);
});

Deno.test("what a handler sets in code is told with the handler, what its profile sets is not", async () => {
  const loaded = await loadObject({});
  const found = [...settingsWithoutEffect(loaded, [
    handler("Audit", { circuitBreakerThreshold: 3, maxRetries: 2, dlqAlertThreshold: 9 }),
    handler("Mailer", { maxRetries: 2 }),
  ])];
  assertEquals(found.map(({ key }) => key), ["circuitBreakerThreshold", "dlqAlertThreshold"]);
  assertStringIncludes(found[0]?.message ?? "", "Handler 'Audit': 'circuitBreakerThreshold' has no effect");
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
  const stream = { subscriptionType: "stream", sequentialBy: undefined } as const;
  assertEquals([...unservedSettings({ name: "Audit" }, stream)], []);
  const both = [
    ...unservedSettings({ name: "Audit" }, { subscriptionType: "event_store", sequentialBy: "customerId" }),
  ];
  assertEquals(both.map(({ code }) => code), ["CONFIG_NOT_SUPPORTED", "CONFIG_NOT_SUPPORTED"]);
  assertStringIncludes(both[1]?.message ?? "", "Audit sets sequentialBy to 'customerId'");
});
