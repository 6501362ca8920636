import { assertEquals } from "@std/assert";
import {
  applicationLiveness,
  applicationReadiness,
  engineLiveness,
  engineReadiness,
} from "../../../lib/health/bodies.ts";
import type { ComponentState, HealthSnapshot } from "../../../lib/health/types.ts";

const ALL: readonly ComponentState[] = [
  { kind: "cache", name: "default", status: "ok" },
  { kind: "provider", name: "default", status: "ok" },
  { kind: "provider", name: "memory", status: "ok" },
  { kind: "event_store", name: "event_store", status: "ok" },
  { kind: "broker", name: "default", status: "ok" },
];
const SUBSCRIPTIONS = { total: 1, details: [] };

function snapshot(over: Partial<HealthSnapshot> = {}): HealthSnapshot {
  return { shuttingDown: false, components: ALL, subscriptions: SUBSCRIPTIONS, ...over };
}

function text(answer: { status: number; body: unknown }): string {
  return `${answer.status} ${JSON.stringify(answer.body)}`;
}

Deno.test("liveness is about the event loop alone", () => {
  assertEquals(text(engineLiveness(true)), '200 {"status":"ok","checks":{"event_loop":"responsive"}}');
  assertEquals(text(engineLiveness(false)), '503 {"status":"unavailable","checks":{"event_loop":"blocked"}}');
});

Deno.test("readiness lists every component in the order of the reference when all are well", () => {
  assertEquals(
    text(engineReadiness(snapshot())),
    '200 {"status":"ok","checks":{"shutting_down":false,"draining":false,"providers":{"default":"ok","memory":"ok"},' +
      '"brokers":{"default":"ok"},"event_store":"ok","caches":{"default":"ok"},' +
      '"subscriptions":{"total":1,"details":[]}}}',
  );
});

for (const kind of ["provider", "broker", "event_store", "cache"] as const) {
  Deno.test(`readiness is degraded and the others stay ok when a ${kind} is unavailable (S26)`, () => {
    const components = ALL.map((state) =>
      state.kind === kind ? { ...state, status: "unavailable" as const } : state
    );
    const { status, body } = engineReadiness(snapshot({ components }));
    assertEquals(status, 503);
    const { checks } = body as { checks: Record<string, unknown> };
    const shown = (of: typeof kind) => (of === kind ? "unavailable" : "ok");
    assertEquals(checks, {
      shutting_down: false,
      draining: false,
      providers: { default: shown("provider"), memory: shown("provider") },
      brokers: { default: shown("broker") },
      event_store: shown("event_store"),
      caches: { default: shown("cache") },
      subscriptions: SUBSCRIPTIONS,
    });
    assertEquals((body as { status: string }).status, "degraded");
  });
}

Deno.test("readiness says shutting_down and nothing else during the drain (S27)", () => {
  assertEquals(
    text(engineReadiness(snapshot({ shuttingDown: true }))),
    '503 {"status":"unavailable","checks":{"shutting_down":true}}',
  );
});

Deno.test("readiness stays 200 when a subscription lags or its breaker is open (S28)", () => {
  const details = [{
    name: "my_domain.OrderEventHandler",
    handler_name: "OrderEventHandler",
    subscription_type: "stream" as const,
    stream_category: "my_domain::order",
    lag: 10_000,
    pending: 7,
    status: "lagging" as const,
    dlq_depth: 3,
    lag_seconds: null,
    circuit_state: "open" as const,
  }];
  const { status, body } = engineReadiness(snapshot({ subscriptions: { total: 1, details } }));
  assertEquals(status, 200);
  assertEquals((body as { checks: { subscriptions: unknown } }).checks.subscriptions, { total: 1, details });
});

Deno.test("readiness leaves out what is not configured", () => {
  const components: ComponentState[] = [{ kind: "provider", name: "default", status: "ok" }];
  assertEquals(
    text(engineReadiness({ shuttingDown: false, components })),
    '200 {"status":"ok","checks":{"shutting_down":false,"draining":false,"providers":{"default":"ok"}}}',
  );
});

Deno.test("an application's probes know neither drain nor subscriptions", () => {
  assertEquals(text(applicationLiveness()), '200 {"status":"ok","checks":{"application":"running"}}');
  assertEquals(
    text(applicationReadiness(snapshot())),
    '200 {"status":"ok","checks":{"providers":{"default":"ok","memory":"ok"},"brokers":{"default":"ok"},' +
      '"event_store":"ok","caches":{"default":"ok"}}}',
  );
});

Deno.test("readiness says why a component is unavailable, beside the status of the reference", () => {
  const components: ComponentState[] = [
    { kind: "provider", name: "default", status: "ok" },
    { kind: "broker", name: "default", status: "unavailable", error: "Redis is full." },
    { kind: "cache", name: "default", status: "unavailable" },
  ];
  assertEquals(
    text(engineReadiness({ shuttingDown: false, components })),
    '503 {"status":"degraded","checks":{"shutting_down":false,"draining":false,"providers":{"default":"ok"},' +
      '"brokers":{"default":"unavailable"},"caches":{"default":"unavailable"}},' +
      '"reasons":[{"component":"broker","name":"default","reason":"Redis is full."}]}',
  );
});

Deno.test("nobody is ready before the checks of its start have ended, whatever its components say", () => {
  const components: ComponentState[] = [{ kind: "provider", name: "default", status: "ok" }];
  assertEquals(
    text(engineReadiness({ shuttingDown: false, starting: true, components })),
    '503 {"status":"degraded","checks":{"shutting_down":false,"draining":false,"starting":true,"providers":{"default":"ok"}}}',
  );
});

Deno.test("what will make a component unavailable is told, and changes no verdict", () => {
  const full: ComponentState = {
    kind: "broker",
    name: "default",
    status: "ok",
    warning: "Redis is nearly full.",
  };
  const warnings = [{ component: "broker", name: "default", warning: "Redis is nearly full." }];
  for (const readiness of [engineReadiness, applicationReadiness]) {
    const well = readiness(snapshot({ components: [full] }));
    assertEquals([well.status, (well.body as { warnings: unknown }).warnings], [200, warnings]);
    const away: ComponentState = { kind: "provider", name: "default", status: "unavailable" };
    const ill = readiness(snapshot({ components: [full, away] }));
    assertEquals([ill.status, (ill.body as { warnings: unknown }).warnings], [503, warnings]);
  }
});
