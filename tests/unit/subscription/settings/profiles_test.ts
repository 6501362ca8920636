import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  profileNames,
  PROFILES,
  profileSettings,
  SubscriptionProfile,
} from "../../../../lib/subscription/settings/profiles.ts";
import { load, loadObject, problemsOf } from "../../config/support.ts";

Deno.test("the built-in profiles have the reference's values (S12)", () => {
  const columns = [
    "subscription_type",
    "messages_per_tick",
    "tick_interval",
    "blocking_timeout_ms",
    "max_retries",
    "retry_delay_seconds",
    "enable_dlq",
    "position_update_interval",
    "circuit_breaker_threshold",
    "circuit_breaker_reset_seconds",
    "retention_maxlen",
    "concurrency",
  ] as const;
  const table: Record<SubscriptionProfile, unknown[]> = {
    production: ["stream", 100, 0, 5000, 3, 1, true, 10, 10, 60, 100_000, 16],
    fast: ["stream", 10, 0, 100, 2, 0, true, 5, 10, 60, 100_000, 16],
    batch: ["stream", 500, 0, 10_000, 5, 2, true, 50, 10, 60, 500_000, 16],
    debug: ["stream", 1, 1, 1000, 1, 0, false, 1, 10, 60, 1000, 1],
    projection: ["event_store", 100, 0, 5000, 3, 1, false, 10, 10, 60, undefined, 1],
  };
  assertEquals(Object.values(SubscriptionProfile).sort(), Object.keys(table).sort() as SubscriptionProfile[]);
  for (const name of Object.values(SubscriptionProfile)) {
    assertEquals<unknown[]>(columns.map((column) => PROFILES[name][column]), table[name], name);
  }
});

Deno.test("a custom profile changes what it names of the profile it inherits from (S16)", async () => {
  const { config } = await load(
    '[server.profiles.myfast]\ninherits = "fast"\nmessages_per_tick = 25\n[server.profiles.bare]\nmax_retries = 9\n',
  );
  assertEquals(profileSettings(config, "myfast"), { ...PROFILES.fast, messages_per_tick: 25 });
  assertEquals(profileSettings(config, "bare"), { max_retries: 9 });
  assertEquals(profileNames(config), [
    "production",
    "fast",
    "batch",
    "debug",
    "projection",
    "myfast",
    "bare",
  ]);
});

Deno.test("names of profiles do not differ by letter case (S16)", async () => {
  const { config } = await load('[server.profiles.MyFast]\ninherits = "FAST"\nmessages_per_tick = 25\n');
  assertEquals(profileSettings(config, "myFAST")?.messages_per_tick, 25);
  assertEquals(profileSettings(config, "myFAST")?.max_retries, 2);
  assertEquals(profileSettings(config, "Production"), PROFILES.production);
});

Deno.test("what is no profile has no settings", async () => {
  const { config } = await loadObject({});
  for (const name of ["", "prod", "constructor", "__proto__", "toString"]) {
    assertEquals(profileSettings(config, name), undefined, name);
  }
});

Deno.test("a wrong custom profile is refused even if no handler uses it (S17, S18)", async () => {
  const cases: readonly (readonly [string, string, string, number, string])[] = [
    [
      "[server.profiles.Production]",
      "CONFIG_INVALID_VALUE",
      "server.profiles.Production",
      1,
      "built-in profile",
    ],
    [
      "[server.profiles.x]\nfoo = 1",
      "CONFIG_UNKNOWN_KEY",
      "server.profiles.x.foo",
      2,
      "'server.profiles.x.foo'",
    ],
    [
      '[server.profiles.x]\n[server.profiles.y]\ninherits = "x"',
      "CONFIG_INVALID_VALUE",
      "server.profiles.y.inherits",
      3,
      'current value is "x"',
    ],
    [
      '[server.profiles.x]\ninherits = "x"',
      "CONFIG_INVALID_VALUE",
      "server.profiles.x.inherits",
      2,
      "must be a built-in profile",
    ],
    [
      '[server.profiles.x]\ninherits = "fats"',
      "CONFIG_INVALID_VALUE",
      "server.profiles.x.inherits",
      2,
      "did you mean 'fast'?",
    ],
    [
      '[server.profiles.x]\ninherits = ["fast"]',
      "CONFIG_WRONG_TYPE",
      "server.profiles.x.inherits",
      2,
      'current value is ["fast"]',
    ],
    ["[server.profiles]\nx = 5", "CONFIG_WRONG_TYPE", "server.profiles.x", 2, "must be a table"],
    ["[server]\nprofiles = false", "CONFIG_WRONG_TYPE", "server.profiles", 2, "must be a table"],
    ["[server.profiles.x]\n[server.profiles.X]", "CONFIG_INVALID_VALUE", "server.profiles.X", 2, "twice"],
    [
      "[server.profiles.x]\ndlq_retention_hours = 720",
      "CONFIG_UNKNOWN_KEY",
      "server.profiles.x.dlq_retention_hours",
      2,
      "dlq_retention_hours",
    ],
    [
      "[server.profiles.x]\nmax_retries = -1",
      "CONFIG_INVALID_VALUE",
      "server.profiles.x.max_retries",
      2,
      "at least 0",
    ],
  ];
  for (const [text, code, key, line, sentence] of cases) {
    const [problem, ...others] = await problemsOf(load(text));
    assertEquals(others, [], text);
    assertEquals([problem?.code, problem?.key, problem?.line], [code, key, line], text);
    assertStringIncludes(problem?.message ?? "", sentence);
  }
});
