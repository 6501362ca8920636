/** What maintenance counts and measures of queues, for statistics and gauges (operations 6, issue 12.7). */
import { assertEquals } from "@std/assert";
import { SqliteBroker } from "../../../lib/adapters/sqlite/broker.ts";
import type { HandlerRunner } from "../../../lib/domain/handler_port.ts";
import type { Observer } from "../../../lib/domain/observer.ts";
import { DeadLetterQueues } from "../../../lib/dlq/queues.ts";
import { statsOf } from "../../../lib/dlq/stats.ts";
import { openedInFolder } from "../../support/opened.ts";
import { HOUR_MS, maintenanceRig, QUEUE, rule } from "./maintenance_rig.ts";

Deno.test("a subscriber learns what was trimmed and alerted; gauges read how deep queues are and how old", async () => {
  const told: string[] = [];
  const observer: Observer = {
    deadLetters: (stream) => ({ happened: (event, count) => void told.push(`${stream} ${event} ${count}`) }),
  };
  const { clock, add, cycle, maintenance } = maintenanceRig([rule("Mailer")], { observer });
  const dlq = maintenance();
  const measured = async () => {
    await cycle(dlq);
    const { depth, oldestAgeMs } = dlq.figures.get(QUEUE) ?? {};
    return [depth, oldestAgeMs];
  };
  assertEquals(await measured(), [0, undefined]);
  await add(2, "Mailer");
  await clock.advance(167 * HOUR_MS);
  await add(5, "Mailer");
  assertEquals(await measured(), [7, 167 * HOUR_MS]);
  await clock.advance(2 * HOUR_MS);
  assertEquals(await measured(), [5, 2 * HOUR_MS]);
  assertEquals(told, [`${QUEUE} alerts 1`, `${QUEUE} trimmed 2`, `${QUEUE} alerts 1`]);
});

Deno.test("figures of queues that another process looks after are not told", async () => {
  const { clock, maintenance, broker } = maintenanceRig([rule("Mailer")]);
  const dlq = maintenance();
  await dlq.start();
  await clock.advance(1_000);
  assertEquals(dlq.figures.size, 1);
  await dlq.stop();
  broker.lock = () => Promise.resolve(undefined);
  const other = maintenance();
  await other.start();
  await clock.advance(180_000);
  assertEquals(other.figures.size, 0);
  await other.stop();
});

Deno.test("maintenance counts what others wrote, and stats tell the groups of all", async () => {
  const { broker, add, cycle, maintenance } = maintenanceRig([rule("Mailer", { alertThreshold: 9_999 })]);
  const runner: HandlerRunner = {
    ...{ name: "Mailer", kind: "event_handler", group: "my_domain.Mailer", sharedGroup: false },
    ...{ categories: ["my_domain::order"], options: {} },
    judge: () => ({ kind: "ignored" }),
    run: () => Promise.resolve("handled"),
  };
  const queues = new DeadLetterQueues(broker, [runner]);
  const [place] = queues.places({});
  if (!place) throw new Error("no queue");
  const stats = (filter = {}) =>
    statsOf(place, { filter, runners: queues.runners, maxEntryBytes: queues.largest });
  await add(2_500, "Mailer", new RangeError("no"));
  await add(1, null, new Error("no"), "my_domain.Mailer");
  await add(1, null, new Error("no"), "python.Theirs");
  const { depth, counted, groups } = await stats();
  assertEquals([depth, counted, groups.map(({ count }) => count)], [2_502, 1_000, [1_000]]);
  await cycle(maintenance());
  const all = await stats();
  assertEquals(all.counted, 2_502);
  assertEquals(
    all.groups.map(({ handler, errorType, count }) => `${handler} ${errorType} ${count}`).toSorted(),
    [
      "Mailer Error 1",
      "Mailer RangeError 2500",
      "python.Theirs Error 1",
    ],
  );
  const filtered = await stats({ handler: "Mailer", error: "Error" });
  assertEquals(filtered.groups.map(({ handler, count }) => [handler, count]), [["Mailer", 1]]);
  assertEquals((await stats({ type: "unknown" })).groups.length, 3);
});

Deno.test("a letter larger than 16 MiB is trimmed and counted by the handler that it names", async () => {
  const { first: broker, clock, close } = await openedInFolder((folder, clock) =>
    new SqliteBroker({
      ...{ name: "default", domain: "my_domain", settings: { URI: "sqlite:///streams.db" }, folder, clock },
    })
  );
  const rules = [
    rule("Mailer", { retentionHours: 1, alertThreshold: 1 }),
    rule("Auditor", { alertThreshold: 3 }),
  ];
  const rig = maintenanceRig(rules, { broker, clock, maxReceivedBytes: 18 * 1024 * 1024 });
  try {
    const facts = '"_dlq_metadata":{"handler":"Mailer","consumer_group":"my_domain.Mailer"}';
    const data = `{"data":"${"x".repeat(17 * 1024 * 1024)}",${facts}}`;
    await broker.publish([{ stream: QUEUE, data }]);
    const dlq = rig.maintenance();
    await rig.cycle(dlq);
    assertEquals(rig.alerts.map(({ handlers, depth }) => [handlers, depth]), [[["Mailer"], 1]]);
    await clock.advance(HOUR_MS + 1);
    await rig.cycle(dlq);
    assertEquals(await broker.deadLetters.depth(QUEUE), 0);
  } finally {
    await close();
  }
});
