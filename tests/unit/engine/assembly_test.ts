/** Which services a domain's lanes and brokers ask for (S40, DLQ-4). */
import { assert, assertEquals } from "@std/assert";
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { assemble } from "../../../lib/engine/assembly.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { inMemory, started } from "../domain/fixture.ts";

function desk(): Domain {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  domain.eventHandler("Notes", { partOf: Order, handles: [on(Placed, () => {})] });
  for (const broker of ["default", "bank"]) {
    const name = broker === "bank" ? "Payments" : "Refunds";
    domain.subscriber(name, { broker, stream: name.toLowerCase(), handle: () => {} });
  }
  return domain;
}

for (
  const [enabled, lanes] of [[true, ["shop::order:backfill:dlq"]], [false, []]] as const
) {
  Deno.test(`dead letters are maintained on every broker${enabled ? " and on both lanes (S40)" : ""}`, async () => {
    const streams: string[] = [];
    const brokers = { default: { provider: "memory" }, bank: { provider: "memory" } };
    await using run = await started(desk(), {
      config: inMemory({ brokers, server: { dlq: { enabled: true }, priority_lanes: { enabled } } }),
      observer: {
        deadLetters: (stream) => {
          streams.push(stream);
          return { happened: () => {} };
        },
      },
    });
    const { services } = assemble(run.runtime, { work: new WorkHealth(run.clock), onFailure: () => {} });
    const names = services.map(({ name }) => name).filter((name) => name.startsWith("dlq-maintenance"));
    assertEquals(names, ["dlq-maintenance-default", "dlq-maintenance-bank"]);
    assertEquals(streams.toSorted(), ["payments:dlq", "refunds:dlq", "shop::order:dlq", ...lanes].toSorted());
  });
}

for (
  const [title, options] of [
    ["reads the event store by now", { subscriptionType: "event_store" }],
    ["has its dead letters switched off by now", { enableDlq: false }],
  ] as const
) {
  Deno.test(`what a handler has dead-lettered that ${title} is trimmed under its window, without an alert`, async () => {
    const domain = new Domain("shop");
    const schema = z.object({ id: z.string() });
    const Order = domain.aggregate("Order", { schema });
    const Placed = domain.event("Placed", { partOf: Order, schema });
    domain.eventHandler("Bills", {
      partOf: Order,
      subscriptionConfig: { ...options, dlqRetentionHours: 2, dlqAlertThreshold: 1 },
      handles: [on(Placed, () => {})],
    });
    let alerts = 0;
    domain.onDlqAlert(() => void alerts++);
    await using run = await started(domain, {
      config: inMemory({ event_store: { provider: "memory" }, server: { dlq: { enabled: true } } }),
    });
    const broker = run.runtime.brokers.get("default");
    assert(broker);
    await broker.publish([{ stream: "shop::order:dlq", data: "{}" }]);
    const { services } = assemble(run.runtime, { work: new WorkHealth(run.clock), onFailure: () => {} });
    const maintenance = services.find(({ name }) => name === "dlq-maintenance-default");
    assert(maintenance);
    await maintenance.start();
    const depth = () => broker.deadLetters.depth("shop::order:dlq");
    await run.clock.advance(119 * 60_000);
    assertEquals(await depth(), 1);
    await run.clock.advance(5 * 60_000);
    assertEquals([await depth(), alerts], [0, 0]);
    await maintenance.stop();
  });
}
