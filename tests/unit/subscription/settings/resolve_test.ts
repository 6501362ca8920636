import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "../../../support/property.ts";
import type { LoadedConfig } from "../../../../lib/config/load.ts";
import { ConfigurationError } from "../../../../lib/errors.ts";
import { governedByProfile } from "../../../../lib/subscription/settings/precedence.ts";
import { PROFILES } from "../../../../lib/subscription/settings/profiles.ts";
import {
  explainSettings,
  resolveSettings,
  type SubscribingHandler,
  type SubscriptionSettings,
} from "../../../../lib/subscription/settings/resolve.ts";
import { unknownSubscriptionTables } from "../../../../lib/subscription/settings/unknown_tables.ts";
import { load, loadObject } from "../../config/support.ts";

type Options = SubscribingHandler["options"];

function handler(options: Options = {}, more: Partial<SubscribingHandler> = {}): SubscribingHandler {
  return { name: "Audit", kind: "event_handler", options, ...more };
}

function resolve(
  config: LoadedConfig,
  of: SubscribingHandler,
  category = "my_domain::order",
): SubscriptionSettings {
  return resolveSettings({ config, handler: of, category });
}

/** Resolves under `[server]` as given. */
async function under(server: Record<string, unknown>, of = handler(), category?: string) {
  return resolve(await loadObject({ server }), of, category);
}

function refused(config: LoadedConfig, of: SubscribingHandler): ConfigurationError {
  return assertThrows(() => resolve(config, of), ConfigurationError);
}

Deno.test("with no configuration at all the defaults hold (wire 10.3, design 6)", async () => {
  assertEquals(await under({}), {
    subscriptionType: "stream",
    profile: undefined,
    messagesPerTick: 100,
    tickIntervalSeconds: 0,
    blockingTimeoutMs: 100,
    maxRetries: 3,
    retryDelaySeconds: 1,
    retryMaxDelaySeconds: 60,
    enableDlq: true,
    positionUpdateInterval: 10,
    circuitBreakerThreshold: 10,
    circuitBreakerResetSeconds: 60,
    retentionMaxlen: undefined,
    concurrency: 1,
    idempotent: false,
    claimIdleMs: 30_000,
    claimIntervalMs: 5_000,
    maxDeliveries: 5,
    dlqRetentionHours: 168,
    dlqAlertThreshold: 100,
    sequentialBy: undefined,
  });
});

Deno.test("each level of precedence hides the ones below (S13)", async () => {
  const byDefault = { default_subscription_profile: "batch" };
  const set = { ...byDefault, stream_subscription: { max_retries: 11 } };
  const table = (values: Record<string, unknown>) => ({ ...set, subscriptions: { Audit: values } });
  const both = table({ profile: "fast", max_retries: 13 });
  const levels: readonly (readonly [string, Record<string, unknown>, Options, number])[] = [
    ["the default", {}, {}, 3],
    ["the default profile", byDefault, {}, 5],
    ["[server]", set, {}, 11],
    ["the profile of the handler's table", table({ profile: "fast" }), {}, 2],
    ["the handler's table", both, {}, 13],
    ["the handler's profile", both, { subscriptionProfile: "debug" }, 1],
    ["the handler", both, { subscriptionProfile: "debug", subscriptionConfig: { maxRetries: 14 } }, 14],
  ];
  for (const [name, server, options, expected] of levels) {
    assertEquals((await under(server, handler(options))).maxRetries, expected, name);
  }
});

Deno.test("precedence holds for any combination of levels (S13)", async () => {
  const level = fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined });
  const profile = fc.option(fc.constantFrom("production", "fast", "batch", "debug", "ours" as const), {
    nil: undefined,
  });
  const retries = (name: string | undefined) =>
    name === undefined ? undefined : name === "ours" ? 42 : PROFILES[name as "fast"].max_retries;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        own: level,
        table: level,
        server: level,
        ownProfile: profile,
        tableProfile: profile,
        fallback: profile,
      }),
      async ({ own, table, server, ownProfile, tableProfile, fallback }) => {
        const strongest = ownProfile ?? tableProfile ?? fallback;
        const settings = await under(
          {
            default_subscription_profile: fallback,
            stream_subscription: { max_retries: server },
            subscriptions: { Audit: { max_retries: table, profile: tableProfile } },
            profiles: { ours: { max_retries: 42 } },
          },
          handler({
            ...(ownProfile !== undefined && { subscriptionProfile: ownProfile }),
            subscriptionConfig: { maxRetries: own },
          }),
        );
        const expected = own ?? retries(ownProfile) ?? table ?? retries(tableProfile) ?? server ??
          retries(fallback) ?? 3;
        assertEquals(settings.maxRetries, expected);
        assertEquals(settings.profile, strongest);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a profile and a value at the same level: the value, the rest from the profile (S14)", async () => {
  const options = { subscriptionProfile: "production", subscriptionConfig: { messagesPerTick: 50 } };
  const settings = await under({}, handler(options));
  assertEquals(
    [settings.messagesPerTick, settings.maxRetries, settings.blockingTimeoutMs, settings.retentionMaxlen],
    [50, 3, 5000, 100_000],
  );
  const table = await under({ subscriptions: { Audit: { profile: "production", messages_per_tick: 50 } } });
  assertEquals(table, settings);
});

Deno.test("a default profile governs every field that the user did not set (S15, CFG-5)", async () => {
  const settings = await under({ default_subscription_profile: "batch" });
  assertEquals(
    {
      messagesPerTick: settings.messagesPerTick,
      blockingTimeoutMs: settings.blockingTimeoutMs,
      maxRetries: settings.maxRetries,
      retryDelaySeconds: settings.retryDelaySeconds,
      retentionMaxlen: settings.retentionMaxlen,
      profile: settings.profile,
    },
    {
      messagesPerTick: 500,
      blockingTimeoutMs: 10_000,
      maxRetries: 5,
      retryDelaySeconds: 2,
      retentionMaxlen: 500_000,
      profile: "batch",
    },
  );
});

Deno.test("a value equal to the default counts as set when somebody wrote it (CFG-5)", async () => {
  const loaded = await load(
    '[server]\ndefault_subscription_profile = "batch"\nmessages_per_tick = 100\n[server.stream_subscription]\nmax_retries = 3\n',
  );
  const settings = resolve(loaded, handler());
  assertEquals([settings.messagesPerTick, settings.maxRetries, settings.retryDelaySeconds], [100, 3, 2]);
});

Deno.test("what a stronger profile leaves out is taken from the weaker ones, each at its own level", async () => {
  const settings = await under(
    {
      default_subscription_profile: "batch",
      subscriptions: { Audit: { profile: "production" } },
      profiles: { quiet: { messages_per_tick: 5 } },
    },
    handler({ subscriptionProfile: "quiet" }),
  );
  assertEquals([settings.messagesPerTick, settings.maxRetries, settings.retentionMaxlen], [5, 3, 100_000]);
  assertEquals(settings.profile, "quiet");
});

Deno.test("each pair of neighbouring levels: the stronger one wins (issue 11, point 2)", async () => {
  const profiles = Object.fromEntries(
    ["own", "table", "main"].map((name, index) => [name, { claim_interval_ms: 1001 + index }]),
  );
  const levels: readonly (readonly [Record<string, unknown>, Options, number])[] = [
    [{}, { subscriptionConfig: { claimIntervalMs: 1 } }, 1],
    [{}, { subscriptionProfile: "own" }, 1001],
    [{ subscriptions: { Audit: { claim_interval_ms: 2 } } }, {}, 2],
    [{ subscriptions: { Audit: { profile: "table" } } }, {}, 1002],
    [{ stream_subscription: { claim_interval_ms: 3 } }, {}, 3],
    [{ default_subscription_profile: "main" }, {}, 1003],
    [{}, {}, 5000],
  ];
  for (const [index, [server, options, expected]] of levels.entries()) {
    const below = levels.slice(index + 1).map(([server]) => server);
    const merged = [...below, server].reduce((all, one) => ({
      ...one,
      ...all,
      subscriptions: {
        Audit: { ...Object(all["subscriptions"])["Audit"], ...Object(one["subscriptions"])["Audit"] },
      },
    }), { profiles });
    const both = { ...levels[1]?.[1], ...options };
    const settings = await under(merged, handler(index === 0 ? both : options));
    assertEquals(settings.claimIntervalMs, expected, `level ${index}`);
  }
});

Deno.test("concurrency is 16 in the profiles for work that is waited for, and 1 unless one is named", async () => {
  const concurrency = async (options: Options, server = {}) =>
    (await under(server, handler(options))).concurrency;
  for (const profile of ["production", "fast", "batch"]) {
    assertEquals(await concurrency({ subscriptionProfile: profile }), 16, profile);
    assertEquals(await concurrency({ subscriptionProfile: profile, concurrency: 1 }), 1, profile);
  }
  for (const profile of ["debug", "projection", undefined]) {
    assertEquals(
      await concurrency(profile === undefined ? {} : { subscriptionProfile: profile }),
      1,
      profile,
    );
  }
  const server = { default_subscription_profile: "production" };
  assertEquals(await concurrency({}, server), 16);
  assertEquals(await concurrency({ subscriptionProfile: "debug" }, server), 1);
});

Deno.test("without an event store, what only a profile would read there comes by the stream, with dead letters", async () => {
  const remote = (server: Record<string, unknown> = {}) =>
    loadObject({
      databases: { default: { provider: "postgresql", database_uri: "postgresql://h/db" } },
      brokers: { default: { provider: "redis", URI: "redis://h" } },
      server,
    });
  const type = async (options: Options, server?: Record<string, unknown>) => {
    const { subscriptionType, enableDlq } = resolve(await remote(server), handler(options));
    return [subscriptionType, enableDlq];
  };
  const projection = { subscriptionProfile: "projection" };
  assertEquals(await type(projection), ["stream", true]);
  assertEquals(await type({}, { default_subscription_profile: "projection" }), ["stream", true]);
  assertEquals(await type({}, { subscriptions: { Audit: { profile: "Projection" } } }), ["stream", true]);
  assertEquals(
    await type({ subscriptionProfile: "mine" }, {
      profiles: { mine: { inherits: "projection" } },
      default_subscription_profile: "debug",
    }),
    ["stream", true],
  );
  assertEquals(await type({ ...projection, subscriptionConfig: { enableDlq: false } }), ["stream", false]);
  const explained = explainSettings({
    config: await remote(),
    handler: handler(projection),
    category: "my_domain::order",
  });
  assertEquals(explained.insteadOf, "profile projection");
  assertEquals(explained.sources.get("subscription_type"), "no [event_store]");
  assertEquals(explained.sources.get("enable_dlq"), "no [event_store]");
  assertEquals(explained.sources.get("messages_per_tick"), "profile projection");

  const local = explainSettings({
    config: await loadObject({}),
    handler: handler(projection),
    category: "my_domain::order",
  });
  assertEquals([local.insteadOf, local.settings.subscriptionType], [undefined, "event_store"]);
});

Deno.test("an event store that was asked for and is not there is an error (delivery 15)", async () => {
  const remote = async (server: Record<string, unknown>, options: Options = {}) =>
    refused(
      await loadObject({
        databases: { default: { provider: "postgresql", database_uri: "postgresql://h/db" } },
        brokers: { default: { provider: "redis", URI: "redis://h" } },
        server,
      }),
      handler(options),
    );
  const asked = [
    await remote({}, { subscriptionType: "event_store" }),
    await remote({}, { subscriptionConfig: { subscriptionType: "event_store" } }),
    await remote({ subscriptions: { Audit: { subscription_type: "event_store" } } }),
    await remote({ default_subscription_type: "event_store" }),
    await remote({ default_subscription_type: "event_store" }, { subscriptionProfile: "projection" }),
  ];
  for (const error of asked) {
    assertEquals(error.code, "CONFIG_NO_EVENT_STORE");
    assertStringIncludes(error.message, "configure [event_store]");
  }
  assertStringIncludes(asked[2]?.message ?? "", "as [server.subscriptions.Audit] says");
  const both = await remote({}, {
    subscriptionType: "event_store",
    subscriptionConfig: { enableDlq: true, maxRetries: -1 },
  });
  assertEquals(both.problems.map(({ code }) => code).sort(), [
    "CONFIG_INVALID_VALUE",
    "CONFIG_INVALID_VALUE",
    "CONFIG_NO_EVENT_STORE",
  ]);
});

Deno.test("everything wrong with a handler's profile, fields and values is one error (S17 to S21)", async () => {
  const error = refused(
    await loadObject({}),
    handler({
      subscriptionProfile: "fats",
      concurrency: 0,
      subscriptionConfig: {
        messagesPerTik: 5,
        blockingTimeoutMs: 0,
        circuitBreakerThreshold: 0,
        circuitBreakerResetSeconds: Infinity,
        maxRetries: "3",
      },
    }),
  );
  assertEquals(error.problems.map(({ key }) => key).sort(), [
    "blockingTimeoutMs",
    "circuitBreakerResetSeconds",
    "circuitBreakerThreshold",
    "concurrency",
    "maxRetries",
    "messagesPerTik",
    "subscriptionProfile",
  ]);
  const [wrong] = refused(await loadObject({}), handler({ subscriptionProfile: "" })).problems;
  assertEquals(wrong?.key, "subscriptionProfile");
});

Deno.test("an event-store subscription takes its defaults from its own table", async () => {
  const server = {
    stream_subscription: { max_retries: 11, concurrency: 4 },
    event_store_subscription: { max_retries: 12, position_update_interval: 13, retry_delay_seconds: 0 },
  };
  const store = await under(server, handler({ subscriptionType: "event_store" }));
  assertEquals(
    [
      store.subscriptionType,
      store.maxRetries,
      store.positionUpdateInterval,
      store.retryDelaySeconds,
      store.concurrency,
    ],
    ["event_store", 12, 13, 0, 4],
  );
  const stream = await under(server);
  assertEquals([stream.maxRetries, stream.positionUpdateInterval, stream.retryDelaySeconds], [11, 13, 1]);
});

Deno.test("the type follows the same precedence", async () => {
  const type = async (server: Record<string, unknown>, options: Options = {}) =>
    (await under(server, handler(options))).subscriptionType;
  assertEquals(await type({ default_subscription_type: "event_store" }), "event_store");
  assertEquals(await type({ default_subscription_profile: "projection" }), "event_store");
  assertEquals(
    await type({ default_subscription_type: "stream", default_subscription_profile: "projection" }),
    "stream",
  );
  assertEquals(await type({ subscriptions: { Audit: { profile: "projection" } } }), "event_store");
  assertEquals(await type({}, { subscriptionProfile: "projection" }), "event_store");
  assertEquals(
    await type({}, { subscriptionProfile: "projection", subscriptionType: "stream" }),
    "event_store",
  );
  assertEquals(await type({}, { subscriptionProfile: "fast", subscriptionType: "event_store" }), "stream");
  assertEquals(
    await type({}, {
      subscriptionProfile: "projection",
      subscriptionConfig: { subscriptionType: "stream" },
    }),
    "stream",
  );
  assertEquals(
    await type({ subscriptions: { Audit: { subscription_type: "stream" } } }, {
      subscriptionType: "event_store",
    }),
    "event_store",
  );
  assertEquals(
    await type({}, { subscriptionType: "stream", subscriptionConfig: { subscriptionType: "event_store" } }),
    "event_store",
  );
});

Deno.test("a command handler reads its own table, then the one of its category (wire 10.3)", async () => {
  const server = {
    subscriptions: {
      "Commands:my_domain::order:command": { max_retries: 7, messages_per_tick: 8 },
      Audit: { max_retries: 6 },
    },
  };
  const category = "my_domain::order:command";
  const command = await under(server, handler({}, { kind: "command_handler" }), category);
  assertEquals([command.maxRetries, command.messagesPerTick], [6, 8]);
  const other = await under(
    server,
    handler({}, { kind: "command_handler", name: "Other" }),
    "my_domain::x:command",
  );
  assertEquals([other.maxRetries, other.messagesPerTick], [3, 100]);
  const event = await under(server, handler(), category);
  assertEquals([event.maxRetries, event.messagesPerTick], [6, 100]);
});

Deno.test("command handlers are idempotent unless somebody says otherwise (delivery 16)", async () => {
  const idempotent = async (server: Record<string, unknown>, of: SubscribingHandler) =>
    (await under(server, of)).idempotent;
  const command = (options: Options = {}) => handler(options, { kind: "command_handler" });
  assertEquals(await idempotent({}, command()), true);
  assertEquals(await idempotent({}, handler()), false);
  assertEquals(await idempotent({}, handler({}, { kind: "projector" })), false);
  assertEquals(await idempotent({}, handler({ idempotent: true })), true);
  assertEquals(await idempotent({}, command({ idempotent: false })), false);
  assertEquals(await idempotent({ stream_subscription: { idempotent: false } }, command()), false);
  assertEquals(await idempotent({ stream_subscription: { idempotent: true } }, handler()), true);
});

Deno.test("a group that Python may share is claimed from later (delivery 1)", async () => {
  const claim = async (server: Record<string, unknown>, of: SubscribingHandler) =>
    (await under(server, of)).claimIdleMs;
  assertEquals(await claim({}, handler({}, { sharedGroup: true })), 300_000);
  assertEquals(await claim({}, handler({}, { sharedGroup: false })), 30_000);
  assertEquals(
    await claim({ stream_subscription: { claim_idle_ms: 1000 } }, handler({}, { sharedGroup: true })),
    1000,
  );
  assertEquals(
    await claim({}, handler({ subscriptionConfig: { claimIdleMs: 2000 } }, { sharedGroup: true })),
    2000,
  );
});

Deno.test("max_deliveries is max_retries and two, unless it is set (design 6)", async () => {
  const config = (subscriptionConfig: Record<string, unknown>) => handler({ subscriptionConfig });
  assertEquals((await under({}, config({ maxRetries: 7 }))).maxDeliveries, 9);
  assertEquals((await under({}, config({ maxRetries: 7, maxDeliveries: 8 }))).maxDeliveries, 8);
  assertEquals((await under({ stream_subscription: { max_deliveries: 4 } })).maxDeliveries, 4);
});

Deno.test("retention and alert threshold of dead letters resolve by the same order (DLQ-1, guide)", async () => {
  const server = {
    dlq: { retention_hours: 200, alert_threshold: 20 },
    subscriptions: { Audit: { dlq_alert_threshold: 15 } },
  };
  const guide = handler({ subscriptionConfig: { dlqRetentionHours: 720, dlqAlertThreshold: 10 } });
  const dead = (
    { dlqRetentionHours, dlqAlertThreshold }: SubscriptionSettings,
  ) => [dlqRetentionHours, dlqAlertThreshold];
  assertEquals(dead(await under(server, guide)), [720, 10]);
  assertEquals(dead(await under(server)), [200, 15]);
  assertEquals(dead(await under(server, handler({}, { name: "Other" }))), [200, 20]);
});

Deno.test("undefined and null in a handler's options count as not given", async () => {
  const options = { subscriptionConfig: { maxRetries: undefined, retentionMaxlen: null, foo: undefined } };
  assertEquals((await under({}, handler(options))).maxRetries, 3);
});

Deno.test("dead letters and retention on an event-store subscription: asked for is an error, inherited is dropped (S19)", async () => {
  const store = { subscriptionType: "event_store" } as const;
  const config = { subscriptionConfig: store };
  const bare = await loadObject({});
  assertStringIncludes(
    refused(bare, handler({ ...store, subscriptionConfig: { enableDlq: true } })).message,
    "enable_dlq is not supported for EVENT_STORE",
  );
  assertStringIncludes(
    refused(bare, handler({ ...store, subscriptionConfig: { retentionMaxlen: 5 } })).message,
    "retention_maxlen is not supported for EVENT_STORE",
  );
  const table = await load("[server.subscriptions.Audit]\nmax_retries = 1\nenable_dlq = true\n");
  const [problem] = refused(table, handler(store)).problems;
  assertEquals(
    [problem?.key, problem?.file, problem?.line],
    ["server.subscriptions.Audit.enable_dlq", "domain.toml", 3],
  );
  const inherited = await under(
    {
      stream_subscription: { enable_dlq: true, retention_maxlen: 7 },
      default_subscription_profile: "production",
    },
    handler(store),
  );
  assertEquals([inherited.enableDlq, inherited.retentionMaxlen], [false, undefined]);
  const profile = await under({}, handler({ ...config, subscriptionProfile: "batch" }));
  assertEquals([profile.enableDlq, profile.retentionMaxlen], [false, undefined]);
  const off = await under({}, handler({ ...store, subscriptionConfig: { enableDlq: false } }));
  assertEquals(off.enableDlq, false);
});

Deno.test("a value that breaks several rules at once is told once", async () => {
  const error = refused(await loadObject({}), handler({ subscriptionConfig: { messagesPerTick: 2 ** 53 } }));
  assertEquals(error.problems.map(({ key }) => key), ["messagesPerTick"]);
});

Deno.test("several impossible values are one error that lists them all (S20)", async () => {
  const error = refused(
    await loadObject({}),
    handler({
      subscriptionConfig: {
        messagesPerTick: 0,
        maxRetries: -1,
        retentionMaxlen: 0,
        subscriptionType: "steam",
      },
    }),
  );
  assertEquals(error.problems.map(({ key }) => key).sort(), [
    "maxRetries",
    "messagesPerTick",
    "retentionMaxlen",
    "subscriptionType",
  ]);
  assertStringIncludes(
    error.message,
    "Handler 'Audit': 'messagesPerTick' must be a whole number of at least 1: current value is 0.",
  );
  assertStringIncludes(error.message, "did you mean 'stream'?");
});

Deno.test("impossible values are refused, edge values are taken (S21, wire 10.4)", async () => {
  const loaded = await loadObject({});
  const accepted = (key: string, value: unknown) => {
    try {
      resolve(loaded, handler({ subscriptionConfig: { [key]: value } }));
      return true;
    } catch (error) {
      if (error instanceof ConfigurationError) return false;
      throw error;
    }
  };
  const cases: readonly (readonly [string, readonly unknown[], readonly unknown[]])[] = [
    ["circuitBreakerResetSeconds", [0.001, 60], [0, -1, Infinity, NaN, "60"]],
    ["circuitBreakerThreshold", [1, 10], [0, -1, 1.5, NaN]],
    ["blockingTimeoutMs", [1, 5000], [0, -1, 1.5, NaN]],
    ["messagesPerTick", [1, 1000], [0, -1, 0.1, Infinity, "10", true]],
    ["tickInterval", [0, 0.5], [-0.1, NaN, Infinity]],
    ["maxRetries", [0, 3], [-1, 0.5]],
    ["retryDelaySeconds", [0, 0.25], [-1, NaN]],
    ["retentionMaxlen", [1], [0, -1, 1.5]],
    ["concurrency", [1, 64], [0, 2.5]],
    ["enableDlq", [true, false], ["true", 1]],
    ["dlqRetentionHours", [0.5, 720], [0, -1]],
    ["dlqAlertThreshold", [1], [0]],
  ];
  for (const [key, good, bad] of cases) {
    for (const value of good) assertEquals(accepted(key, value), true, `${key} = ${value}`);
    for (const value of bad) assertEquals(accepted(key, value), false, `${key} = ${value}`);
  }
});

Deno.test("an unknown key of subscriptionConfig is refused with the nearest one", async () => {
  const loaded = await loadObject({});
  for (
    const [key, hint] of [["messagesPerTik", "messagesPerTick"], ["max_retries", "maxRetries"], [
      "originStream",
      undefined,
    ]] as const
  ) {
    const error = refused(loaded, handler({ subscriptionConfig: { [key]: 1 } }));
    assertEquals(error.code, "CONFIG_UNKNOWN_KEY");
    assertStringIncludes(error.message, hint ? `; did you mean '${hint}'?` : `unknown key '${key}'`);
  }
});

Deno.test("an unknown profile is refused with the nearest one, the custom ones included", async () => {
  const loaded = await loadObject({ server: { profiles: { nightly: {} } } });
  const error = refused(loaded, handler({ subscriptionProfile: "nihgtly" }));
  assertEquals(error.code, "CONFIG_UNKNOWN_PROFILE");
  assertStringIncludes(error.message, "did you mean 'nightly'?");
  assertEquals(resolve(loaded, handler({ subscriptionProfile: "Nightly" })).profile, "Nightly");
});

Deno.test("sequentialBy is handed on, and must say something", async () => {
  assertEquals((await under({}, handler({ sequentialBy: "orderId" }))).sequentialBy, "orderId");
  refused(await loadObject({}), handler({ sequentialBy: "" }));
  for (const wrong of [5, true, ["orderId"]]) {
    // As from code without types.
    refused(await loadObject({}), handler(Object.fromEntries([["sequentialBy", wrong]])));
  }
});

Deno.test("names of Object's prototype are no handlers' tables", async () => {
  assertEquals((await under({}, handler({}, { name: "constructor" }))).maxRetries, 3);
});

Deno.test("explainSettings says what decided each setting", async () => {
  const config = await loadObject({
    server: {
      default_subscription_profile: "batch",
      tick_interval: 2,
      subscriptions: { Audit: { retry_delay_seconds: 4 } },
    },
  });
  const { sources } = explainSettings({
    config,
    handler: handler({ subscriptionConfig: { maxRetries: 1 } }),
    category: "my_domain::order",
  });
  assertEquals(sources.get("max_retries"), "handler");
  assertEquals(sources.get("retry_delay_seconds"), "[server.subscriptions.Audit]");
  assertEquals(sources.get("tick_interval"), "[server]");
  assertEquals(sources.get("messages_per_tick"), "profile batch");
  assertEquals(sources.get("claim_idle_ms"), "default");
  assertEquals(sources.get("max_deliveries"), undefined);
});

Deno.test("tables of [server.subscriptions] that are about no handler can be listed, with the nearest name", async () => {
  const loaded = await load(`
[server.subscriptions.AuditHandlr]
max_retries = 1
[server.subscriptions.AuditHandler]
[server.subscriptions."Commands:my_domain::order:command"]
[server.subscriptions."Commands:my_domain::oder:command"]
`);
  const categories = ["my_domain::order:command"];
  const problems = unknownSubscriptionTables(loaded, [
    { name: "AuditHandler", kind: "event_handler", categories: ["my_domain::order"] },
    { name: "OrderCommandHandler", kind: "command_handler", categories },
  ]);
  assertEquals(problems.map(({ code, key, line }) => [code, key, line]), [
    ["CONFIG_UNKNOWN_HANDLER", "server.subscriptions.AuditHandlr", 3],
    ["CONFIG_UNKNOWN_HANDLER", 'server.subscriptions."Commands:my_domain::oder:command"', undefined],
  ]);
  assertStringIncludes(problems[0]?.message ?? "", "did you mean 'AuditHandler'?");
});

Deno.test("what the default profile stands in for is what subscriptions get (CFG-4, CFG-5)", async () => {
  for (const server of [{}, { default_subscription_type: "event_store" }, { messages_per_tick: 1 }]) {
    for (const profile of ["batch", "projection"]) {
      const loaded = await loadObject({ server: { ...server, default_subscription_profile: profile } });
      const governed = new Map(governedByProfile(loaded).map(({ path, value }) => [path.join("."), value]));
      const settings = resolve(loaded, handler());
      const table = `server.${settings.subscriptionType}_subscription`;
      assertEquals(governed.get(`${table}.max_retries`), settings.maxRetries);
      assertEquals(governed.get("server.messages_per_tick") ?? 1, settings.messagesPerTick);
    }
  }
});
