/** The start of the server and `check` say the same, for they ask the same rules (house plan: Diagnostics). */
import { Domain, on } from "@protean/server";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { startFindings } from "../../../lib/check/at_start.ts";
import { rulesOf } from "../../../lib/check/catalogue.ts";
import { check } from "../../../lib/check/check.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { planSubscriptions } from "../../../lib/engine/subscription_plan.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { shop } from "./support.ts";

const schema = z.object({ id: z.string() });
const ONE = { workers: 1, replicas: 1 };

/** What there is to tell of a domain that works. */
function talkative(): Domain {
  return shop((domain) => {
    const Invoice = domain.aggregate("Invoice", { schema });
    const Sent = domain.event("InvoiceSent", { partOf: Invoice, schema, published: true });
    domain.event("InvoiceLost", { partOf: Invoice, schema });
    domain.eventHandler("Ledger", {
      partOf: Invoice,
      consumerGroup: "python.Ledger",
      idempotent: true,
      handles: [on(Sent, () => {})],
    });
  });
}

const CONFIG = {
  databases: { default: { provider: "memory" } },
  telemetry: { semconv: true },
  consume_idempotency: { cleanup: { retention_hours: 1 } },
  server: { subscriptions: { Nobody: { max_retries: 1 } }, health: { enabled: false } },
};

Deno.test("what the start of a server tells, check tells too, word for word", async () => {
  const domain = talkative();
  const loaded = await loadConfig({ domain: "shop", config: CONFIG, env: "production" });
  const { findings } = await check(domain, loaded, { scale: ONE });
  await domain.init({ config: CONFIG, env: "production" });
  try {
    const runtime = runtimeOf(domain);
    const started = [...startFindings(runtime, planSubscriptions(runtime))];
    const codes = new Set(started.map(({ code }) => code));
    for (
      const code of [
        ...["CONFIG_UNKNOWN_HANDLER", "CONFIG_SHORT_MARKS", "CONFIG_SHARED_CATEGORY"],
        ...["CONFIG_UNBOUNDED_STREAM", "EMBEDDED_IN_PRODUCTION", "DLQ_MAINTENANCE_OFF"],
        "PUBLISHED_NO_EXTERNAL_BROKER",
      ]
    ) assert(codes.has(code), `${code} is not among ${[...codes]}`);
    const told = new Set(findings.map(({ code, message }) => `${code} ${message}`));
    assertEquals(started.filter(({ code, message }) => !told.has(`${code} ${message}`)), []);
    // And check tells more: what is no business of a server that runs.
    const atStart = new Set<string>(rulesOf("start").map(({ code }) => code));
    const further = findings.filter(({ code }) => !atStart.has(code)).map(({ code }) => code);
    assertEquals(further, ["UNHANDLED_EVENT"]);
  } finally {
    await domain.close();
  }
});

const wrong: readonly (readonly [what: string, make: () => Domain, config: Record<string, unknown>])[] = [
  ["two elements of one name", () => {
    const domain = shop();
    domain.aggregate("Order", { schema });
    return domain;
  }, {}],
  ["a handler of nothing on no category", () => {
    const domain = shop();
    domain.eventHandler("Idle", { streamCategory: "x::y", handles: [] });
    return domain;
  }, {}],
  [
    "a projection in a database that is not there",
    () => shop((domain) => void domain.projection("Orders", { schema, identity: "id", provider: "reports" })),
    {},
  ],
  [
    "a subscriber of a broker that is not there",
    () =>
      shop((domain) => void domain.subscriber("Payments", { broker: "bank", stream: "s", handle: () => {} })),
    {},
  ],
  ["an outbox without a database", () => shop(), {
    databases: { default: { provider: "memory", managed: false } },
  }],
  ["a lane that is none", () => shop(), {
    server: { priority_lanes: { enabled: true, backfill_suffix: "dlq" } },
  }],
  ["an adapter of no name", () => shop(), { caches: { default: { provider: "shelf" } } }],
];
for (const [what, make, config] of wrong) {
  Deno.test(`what ends the start is what check calls an error: ${what}`, async () => {
    const whole = { ...CONFIG, ...config };
    const loaded = await loadConfig({ domain: "shop", config: whole });
    const errors = (await check(make(), loaded, { scale: ONE })).findings.filter(({ level }) =>
      level === "error"
    );
    const { problems } = await assertRejects(() => make().init({ config: whole }), ConfigurationError);
    const said = (all: readonly { readonly code: string; readonly message: string }[]) =>
      new Set(all.map(({ code, message }) => `${code} ${message}`));
    assertEquals(said(errors), said(problems));
  });
}
