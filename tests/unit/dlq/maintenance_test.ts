/** Dead-letter maintenance: trimmed by age, watched, alerted about (DLQ-1, DLQ-2, DLQ-6 to DLQ-8, S33 to S39). */
import { assertEquals, assertRejects } from "@std/assert";
import { listAlerts, muteAlerts } from "../../../lib/alerts/desk.ts";
import type { DlqAlert } from "../../../lib/domain/dlq_alert.ts";
import { NotSupportedError } from "../../../lib/errors.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { logged } from "../../support/logged.ts";
import { HOUR_MS, maintenanceRig, QUEUE, rule } from "./maintenance_rig.ts";

Deno.test("what is past its retention is gone after one cycle, however short the queue (S34, DLQ-2)", async () => {
  const { clock, add, cycle, maintenance, depth } = maintenanceRig([rule("Mailer"), rule("Auditor")]);
  await add(2, "Mailer");
  await clock.advance(168 * HOUR_MS - 1);
  await add(1, "Auditor");
  const dlq = maintenance();
  await cycle(dlq);
  assertEquals(await depth(), 3);
  await clock.advance(2);
  await cycle(dlq);
  assertEquals(await depth(), 1);
  assertEquals(dlq.status().counters, { trimmed: 2, alerts: 0, alertsFailed: 0 });
});

Deno.test("a handler's own retention removes its letters alone, and the longest keeps the rest (DLQ-1)", async () => {
  const rules = [rule("Mailer", { retentionHours: 1 }), rule("Auditor", { retentionHours: 720 })];
  const { clock, broker, add, cycle, maintenance } = maintenanceRig(rules);
  await add(300, "Mailer");
  await add(2, "Auditor");
  await add(1, null, new Error("no"), "my_domain.Mailer");
  await add(1, null, new Error("no"), "python.Theirs");
  const dlq = maintenance();
  await clock.advance(HOUR_MS + 1);
  await add(1, "Mailer");
  await cycle(dlq);
  assertEquals(await broker.deadLetters.depth(QUEUE), 4);
  await clock.advance(HOUR_MS);
  await cycle(dlq);
  assertEquals(await broker.deadLetters.depth(QUEUE), 4, "what is as old as the retention stays");
  await clock.advance(1);
  await cycle(dlq);
  assertEquals(await broker.deadLetters.depth(QUEUE), 3);
  await clock.advance(720 * HOUR_MS);
  await cycle(dlq);
  assertEquals(await broker.deadLetters.depth(QUEUE), 0);
});

Deno.test("a retention of a fraction of an hour trims to the millisecond, an enormous one nothing", async () => {
  for (const [retentionHours, gone] of [[0.001, 3_600], [1e-9, 1], [1e300, undefined]] as const) {
    for (const others of [[], [rule("Auditor", { retentionHours: 1e301 })]]) {
      const rules = [rule("Mailer", { retentionHours, alertThreshold: 9 }), ...others];
      const rig = maintenanceRig(rules, { discardKeepHours: 1e300 });
      await rig.add(2, "Mailer");
      const dlq = rig.maintenance();
      if (gone === undefined) await rig.clock.advance(1e6 * HOUR_MS);
      else await rig.clock.advance(gone - 1);
      await rig.cycle(dlq);
      assertEquals(await rig.depth(), 2);
      await rig.clock.advance(2);
      await rig.cycle(dlq);
      assertEquals(await rig.depth(), gone === undefined ? 2 : 0, `${retentionHours} hours`);
    }
  }
});

Deno.test("a queue at its threshold alerts in every cycle, one below it never (S35, S36)", async () => {
  const { clock, alerts, add, cycle, maintenance } = maintenanceRig([rule("Mailer"), rule("Auditor")]);
  const dlq = maintenance();
  await add(4, "Mailer", new TypeError("no"));
  await cycle(dlq);
  assertEquals(alerts, []);
  const oldest = new Date(clock.now());
  await clock.advance(1000);
  await add(1, "Auditor", new RangeError("no"));
  const records = await logged(async () => {
    await cycle(dlq);
    await cycle(dlq);
  });
  const alert: DlqAlert = {
    ...{ dlqStream: QUEUE, depth: 5, threshold: 5, handlers: ["Mailer", "Auditor"], oldest, state: "firing" },
    topErrors: [{ errorType: "TypeError", count: 4 }, { errorType: "RangeError", count: 1 }],
  };
  assertEquals(alerts, [alert, alert]);
  const told = records.filter(({ rawMessage }) => rawMessage === "dlq_maintenance.threshold_exceeded");
  assertEquals(told.map(({ level, properties }) => [level, properties]), [
    ["warning", { dlq_stream: QUEUE, depth: 5, threshold: 5 }],
    ["warning", { dlq_stream: QUEUE, depth: 5, threshold: 5 }],
  ]);
});

Deno.test("with alert_on = change an alert begins once and is over once", async () => {
  const { broker, alerts, add, cycle, maintenance } = maintenanceRig([rule("Mailer")], { alertOn: "change" });
  const dlq = maintenance();
  await add(6, "Mailer");
  await cycle(dlq);
  await cycle(dlq);
  await broker.deadLetters.purge(QUEUE);
  await cycle(dlq);
  await cycle(dlq);
  await add(5, "Mailer");
  await cycle(dlq);
  assertEquals(alerts.map(({ state, depth }) => [state, depth]), [["firing", 6], ["resolved", 0], [
    "firing",
    5,
  ]]);
});

Deno.test("with alert_on = change whoever could not be told is told in the next cycle, and nobody twice", async () => {
  let isDown = true;
  const heard: Record<string, string[]> = { page: [], webhook: [] };
  const { broker, add, cycle, maintenance } = maintenanceRig([rule("Mailer")], {
    alertOn: "change",
    receivers: [
      { name: "page", tell: ({ state }) => void heard["page"]?.push(state) },
      {
        name: "webhook",
        tell: ({ state }) => {
          if (isDown) throw new Error("The webhook is down.");
          heard["webhook"]?.push(state);
        },
      },
    ],
  });
  const dlq = maintenance();
  await add(6, "Mailer");
  await cycle(dlq);
  await cycle(dlq);
  assertEquals(heard, { page: ["firing"], webhook: [] });
  isDown = false;
  await cycle(dlq);
  await cycle(dlq);
  assertEquals(heard, { page: ["firing"], webhook: ["firing"] });
  isDown = true;
  await broker.deadLetters.purge(QUEUE);
  await cycle(dlq);
  isDown = false;
  await cycle(dlq);
  await cycle(dlq);
  assertEquals(heard, { page: ["firing", "resolved"], webhook: ["firing", "resolved"] });
  assertEquals(dlq.status().counters["alerts"], 1);
});

Deno.test("with alert_on = change a broker that fails between the look and the alert does not swallow it", async () => {
  const { broker, alerts, add, cycle, maintenance } = maintenanceRig([rule("Mailer")], { alertOn: "change" });
  const dlq = maintenance();
  await add(6, "Mailer");
  const { deadLetters } = broker;
  const list = deadLetters.list.bind(deadLetters);
  deadLetters.list = () => Promise.reject(new Error("away"));
  await assertRejects(() => cycle(dlq), Error, "away");
  deadLetters.list = list;
  await cycle(dlq);
  await cycle(dlq);
  assertEquals(alerts.map(({ state }) => state), ["firing"]);
});

Deno.test("a handler's own threshold is compared with its own depth, also after others' replays (DLQ-1)", async () => {
  const rules = [
    rule("Mailer", { alertThreshold: 3 }),
    rule("Auditor", { alertThreshold: 100 }),
    rule("Biller"),
  ];
  const { broker, alerts, add, cycle, maintenance } = maintenanceRig(rules);
  const dlq = maintenance();
  await add(4, "Auditor");
  await cycle(dlq);
  assertEquals(alerts, [], "four in all, the queue's own threshold is five");
  await add(3, "Mailer");
  await cycle(dlq);
  assertEquals(
    alerts.splice(0).map(({ depth, threshold, handlers }) => [depth, threshold, handlers]),
    [[7, 5, ["Biller", "Mailer"]]],
  );
  const page = await broker.deadLetters.list(QUEUE, { limit: 5 });
  await broker.deadLetters.remove(QUEUE, page.map(({ id }) => id));
  await cycle(dlq);
  assertEquals(alerts, [], "two of the mailer's are left");
  await add(1, "Mailer");
  await cycle(dlq);
  assertEquals(alerts.map(({ depth, threshold, handlers }) => [depth, threshold, handlers]), [[3, 3, [
    "Mailer",
  ]]]);
});

Deno.test("the first cycle comes within two seconds of the start, the next after the interval (DLQ-6)", async () => {
  const { clock, alerts, add, maintenance } = maintenanceRig([rule("Mailer")]);
  await add(5, "Mailer");
  const dlq = maintenance();
  await dlq.start();
  await clock.advance(999);
  assertEquals(alerts.length, 0);
  await clock.advance(1);
  assertEquals(alerts.length, 1);
  await clock.advance(60_000);
  assertEquals(alerts.length, 2);
  await dlq.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("of two replicas one alerts, and the other takes over when it has stopped (DLQ-6)", async () => {
  const { clock, alerts, add, maintenance } = maintenanceRig([rule("Mailer")]);
  await add(5, "Mailer");
  const [one, other] = [maintenance(), maintenance()];
  await one.start();
  await clock.advance(10);
  await other.start();
  await clock.advance(3 * 60_000);
  assertEquals([one.status().counters["alerts"], other.status().counters["alerts"]], [3, 0]);
  assertEquals(other.figures.size, 0);
  await one.stop();
  await clock.advance(60_000);
  assertEquals(other.status().counters["alerts"], 1);
  await other.stop();
  assertEquals(alerts.length, 4);
});

Deno.test("a receiver that throws, rejects or hangs keeps nobody from being told, nor the next cycle (DLQ-7)", async () => {
  const told: DlqAlert[] = [];
  let hanging = 0;
  const receivers = [
    {
      name: "throws",
      tell: () => {
        throw new Error("planted");
      },
    },
    { name: "rejects", tell: () => Promise.reject(new TypeError("planted")) },
    {
      name: "hangs",
      tell: () =>
        new Promise(() => {
          hanging++;
        }),
    },
    { name: "works", tell: (alert: DlqAlert) => void told.push(alert) },
  ];
  const { clock, add, maintenance } = maintenanceRig([rule("Mailer")], { receivers });
  await add(5, "Mailer");
  const dlq = maintenance();
  const records = await logged(async () => {
    await dlq.start();
    await clock.advance(2_000);
    assertEquals(told.length, 1);
    await clock.advance(10_000 + 60_000);
    assertEquals(told.length, 2);
    await dlq.stop();
  });
  assertEquals(hanging, 1, "one that hangs is not called again");
  const failed = records.filter(({ rawMessage }) => rawMessage === "dlq_maintenance.alert_failed");
  assertEquals(failed.map(({ properties }) => properties["receiver"]).sort(), [
    ...["hangs", "hangs", "rejects", "rejects", "throws", "throws"],
  ]);
  assertEquals(JSON.stringify(failed).includes("planted"), false);
  assertEquals(dlq.status().counters["alertsFailed"], 6);
  assertEquals(clock.pending, 0);
});

Deno.test("a broker that fails is told of once, and once when it is over (S33)", async () => {
  const { clock, broker, add, maintenance } = maintenanceRig([rule("Mailer")]);
  await add(5, "Mailer");
  const dlq = maintenance();
  const { time } = broker;
  const records = await logged(async () => {
    await dlq.start();
    broker.time = () => Promise.reject(new Error("away"));
    await clock.advance(3 * 60_000);
    broker.time = time;
    await clock.advance(60_000);
    await dlq.stop();
  });
  assertEquals(
    records.map(({ rawMessage, level }) => `${rawMessage} ${level}`).filter((line) =>
      line.startsWith("dlq_maintenance") && !line.endsWith("debug")
    ),
    [
      ...["dlq_maintenance.failed warning", "dlq_maintenance.threshold_exceeded warning"],
      "dlq_maintenance.recovered info",
    ],
  );
});

Deno.test("a broker without locks is looked after all the same", async () => {
  const { clock, broker, alerts, add, maintenance } = maintenanceRig([rule("Mailer")]);
  broker.lock = () => Promise.reject(new NotSupportedError("no locks"));
  await add(5, "Mailer");
  const dlq = maintenance();
  await dlq.start();
  await clock.advance(2_000);
  await dlq.stop();
  assertEquals(alerts.length, 1);
});

Deno.test("one queue that fails keeps no other from its turn", async () => {
  const rig = maintenanceRig([rule("Mailer")]);
  const other = "my_domain::other:dlq";
  const dlq = rig.maintenance();
  const both = maintenanceRig([rule("Mailer")], {
    broker: rig.broker,
    queues: [{ stream: other, rules: [rule("Other")] }, { stream: QUEUE, rules: [rule("Mailer")] }],
  });
  const { depth } = rig.broker.deadLetters;
  rig.broker.deadLetters.depth = (stream) =>
    stream === other ? Promise.reject(new Error("wrong type")) : depth.call(rig.broker.deadLetters, stream);
  await rig.add(5, "Mailer");
  await assertRejects(() => both.cycle(both.maintenance()), Error, "wrong type");
  assertEquals(both.alerts.length, 1);
  assertEquals(dlq.running, false);
});

Deno.test("a machine whose clock is another than the broker's is told of, and nothing goes by it (DLQ-8)", async () => {
  const { clock, broker, add, cycle, maintenance, depth } = maintenanceRig([rule("Mailer")]);
  await add(2, "Mailer");
  const then = clock.now();
  broker.time = () => Promise.resolve(then + 1000);
  await clock.advance(30 * 24 * HOUR_MS);
  const dlq = maintenance();
  const records = await logged(async () => {
    await cycle(dlq);
    await cycle(dlq);
  });
  assertEquals(await depth(), 2);
  const told = records.filter(({ rawMessage }) => rawMessage === "dlq_maintenance.clock_differs");
  assertEquals(told.map(({ properties }) => properties["seconds"]), [30 * 24 * 3600 - 1]);
});

Deno.test("a machine whose clock is an hour off trims no sooner and no later (DLQ-8)", async () => {
  for (const ahead of [true, false]) {
    const machine = new FakeClock();
    const rig = maintenanceRig([rule("Mailer", { retentionHours: 1 })], { clock: machine });
    await (ahead ? machine : rig.clock).advance(HOUR_MS);
    await rig.add(2, "Mailer");
    const dlq = rig.maintenance();
    await rig.cycle(dlq);
    await rig.clock.advance(HOUR_MS);
    await rig.cycle(dlq);
    assertEquals(await rig.depth(), 2);
    await rig.clock.advance(1);
    await rig.cycle(dlq);
    assertEquals(await rig.depth(), 0);
  }
});

Deno.test("discarded letters go discard_keep_hours after they were discarded, however old they are", async () => {
  const rig = maintenanceRig([rule("Mailer")], { discardKeepHours: 2 });
  const aside = `${QUEUE}:discarded`;
  const { deadLetters } = rig.broker;
  const maintenance = rig.maintenance();
  await rig.add(3, "Mailer");
  await rig.clock.advance(24 * HOUR_MS);
  const ids = (await deadLetters.list(QUEUE, { limit: 9 })).map(({ id }) => id);
  await deadLetters.move?.(QUEUE, ids.slice(0, 2), aside);
  await rig.clock.advance(2 * HOUR_MS - 1);
  await deadLetters.move?.(QUEUE, ids.slice(2), aside);
  await rig.cycle(maintenance);
  assertEquals(await deadLetters.depth(aside), 3);
  await rig.clock.advance(2);
  await rig.cycle(maintenance);
  assertEquals(await deadLetters.depth(aside), 1);
});

Deno.test("with alert_on = change a restart, or another replica, repeats nothing and loses nothing (operations 11)", async () => {
  const rig = maintenanceRig([rule("Mailer")], { alertOn: "change" });
  const { broker, alerts, add, cycle, maintenance } = rig;
  await add(6, "Mailer");
  await cycle(maintenance());
  await cycle(maintenance());
  assertEquals(alerts.map(({ state }) => state), ["firing"], "it has been told already");
  await broker.deadLetters.purge(QUEUE);
  await cycle(maintenance());
  await cycle(maintenance());
  assertEquals(alerts.map(({ state }) => state), ["firing", "resolved"]);
  assertEquals([...await broker.alerts.all()], []);
});

Deno.test("with alert_on = change one that is killed between telling and remembering is followed by one who tells again", async () => {
  const { broker, alerts, add, cycle, maintenance } = maintenanceRig([rule("Mailer")], { alertOn: "change" });
  await add(6, "Mailer");
  const change = broker.alerts.change.bind(broker.alerts);
  let writes = 0;
  broker.alerts.change = (changes) => {
    const isTold = changes.length > 0 && ++writes > 1;
    return isTold ? Promise.reject(new Error("killed")) : change(changes);
  };
  await assertRejects(() => cycle(maintenance()), Error, "killed");
  broker.alerts.change = change;
  await cycle(maintenance());
  await cycle(maintenance());
  assertEquals(alerts.map(({ state }) => state), ["firing", "firing"]);
});

Deno.test("a mute of dlq_depth holds back a queue's alerts for a while; its rule may leave queues out", async () => {
  for (const alertOn of ["cycle", "change"] as const) {
    const rig = maintenanceRig([rule("Mailer")], { alertOn });
    const { broker, clock, alerts, add, cycle, maintenance } = rig;
    const runtime = { name: "my_domain", brokers: new Map([["default", broker]]), runners: [] };
    await muteAlerts(runtime, { rule: "dlq_depth", subject: QUEUE, ms: HOUR_MS });
    await add(6, "Mailer");
    const dlq = maintenance();
    await cycle(dlq);
    assertEquals(alerts, []);
    const { alerts: [listed] } = await listAlerts(runtime);
    assertEquals([listed?.rule, listed?.subject, listed?.state, listed?.muted, listed?.value], [
      ...["dlq_depth", QUEUE, "firing", true],
      6,
    ]);
    await clock.advance(HOUR_MS);
    await cycle(dlq);
    assertEquals(alerts.map(({ state }) => state), ["firing"], alertOn);
  }
  const { alerts, add, cycle, maintenance } = maintenanceRig([rule("Mailer")], { isAbout: () => false });
  await add(6, "Mailer");
  await cycle(maintenance());
  assertEquals(alerts, []);
});

Deno.test("of two domains on one broker each looks after its own queues", async () => {
  const { clock, add, maintenance, alerts } = maintenanceRig([rule("Mailer")], { intervalSeconds: 3_600 });
  await add(6, "Mailer");
  const both = [maintenance(), maintenance({ domain: "other" })];
  for (const each of both) await each.start();
  await clock.advance(60_000);
  for (const each of both) await each.stop();
  assertEquals(alerts.length, 2, "the lock of one domain holds up no other");
});
