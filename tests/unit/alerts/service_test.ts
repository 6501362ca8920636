/** The rules of `[alerts]`: firing and resolved, once between replicas, kept in the broker (operations 11). */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { AlertBook } from "../../../lib/alerts/book.ts";
import { muteAlerts } from "../../../lib/alerts/desk.ts";
import { type AlertFacts, keptId } from "../../../lib/alerts/kept.ts";
import type { Channel } from "../../../lib/alerts/channels.ts";
import type { Alert } from "../../../lib/domain/alert.ts";
import { logged } from "../../support/logged.ts";
import { alertRig, MAILER, subscription, worker } from "./rig.ts";

Deno.test("what lasts for for_seconds fires once, and is over once", async () => {
  const { figures, alerts, posted, look, pass, replica, clock } = alertRig();
  const service = replica();
  await look(service);
  const began = clock.now();
  figures.rows = [subscription({ ageSeconds: 299 })];
  await look(service);
  figures.rows = [subscription({ ageSeconds: 300 })];
  await look(service);
  await pass(55, service);
  assertEquals(alerts, []);
  figures.rows = [subscription({ ageSeconds: 360.4 })];
  await pass(60, service);
  assertEquals(alerts, [{
    ...{ rule: "oldest_age", subject: MAILER, state: "firing", since: new Date(began) },
    ...{ value: 360.4, threshold: 300 },
    text: `The oldest message of ${MAILER} that is not acknowledged is 360 s old (threshold 300 s).`,
  }]);
  figures.rows = [subscription()];
  await pass(30, service);
  assertEquals(alerts.map(({ state, since }) => [state, since]), [
    ["firing", new Date(began)],
    ["resolved", new Date(began)],
  ]);
  assertStringIncludes(alerts[1]?.text ?? "", "Over after 120 s: The oldest message");
  assertEquals(posted, [`oldest_age ${MAILER} firing`, `oldest_age ${MAILER} resolved`]);
  assertEquals(service.status().counters, { fired: 1, resolved: 1, told: 4, failed: 0 });
});

Deno.test("what comes and goes within for_seconds is told to nobody, nor what nobody knows", async () => {
  const { figures, told, pass, replica } = alertRig();
  const service = replica();
  for (const ageSeconds of [400, 0, 400, 0]) {
    figures.rows = [subscription({ ageSeconds })];
    await pass(55, service);
  }
  figures.rows = [subscription({ ageSeconds: 400 })];
  await pass(30, service);
  figures.rows = undefined;
  await pass(55, service);
  assertEquals(told(), []);
  figures.rows = [subscription({ ageSeconds: 400 })];
  await pass(5, service);
  assertEquals(told(), [`oldest_age ${MAILER} firing`], "a short gap begins nothing anew");
  figures.rows = undefined;
  await pass(3600, service);
  assertEquals(told().length, 1, "nobody knows whether it is over");
});

Deno.test("a subscription is silent while messages wait and none is handled", async () => {
  const { figures, alerts, told, pass, replica } = alertRig();
  const service = replica();
  figures.rows = [subscription({ lag: 5, pending: 1, position: "1-0" })];
  await pass(250, service);
  figures.rows = [subscription({ lag: 4, pending: 1, position: "2-0" })];
  await pass(300, service);
  assertEquals(told(), []);
  await pass(5, service);
  assertEquals(told(), [`silent_subscription ${MAILER} firing`]);
  assertEquals([alerts[0]?.value, alerts[0]?.threshold], [300, 300]);
  assertStringIncludes(
    alerts[0]?.text ?? "",
    `4 message(s) wait for ${MAILER}, and none was handled for 300 s.`,
  );
  figures.rows = [subscription({ lag: 4, pending: 0, position: "2-0" })];
  await pass(5, service);
  assertEquals(told().at(-1), `silent_subscription ${MAILER} resolved`, "one was handled");
  figures.rows = [subscription({ lag: null })];
  await pass(600, service);
  assertEquals(told().length, 2);
  // Where the position of a group says nothing, of many keys, its workers do.
  figures.rows = [subscription({ lag: 5, pending: 1, position: "3 partition(s)" })];
  for (let finished = 1; finished < 4; finished++) {
    const own = { handler: "Mailer", category: "my_domain::order", breaker: "closed", finished } as const;
    figures.workers = [worker(), worker({ id: "w2", subscriptions: [own] })];
    await pass(250, service);
  }
  figures.workers = [worker()];
  await pass(50, service);
  assertEquals(told().length, 2, "that a worker is gone is not that something was handled");
  await pass(5, service);
  assertEquals(told().length, 3);
});

Deno.test("a breaker that tries and fails stays open; pools, checks, outboxes and lost workers have their rules", async () => {
  const { figures, told, pass, replica, look } = alertRig();
  const rules = { pool_exhausted: { for_seconds: 0 }, outbox_age: { for_seconds: 0 } };
  const service = replica({ rules });
  const subscriptions = (breaker: "open" | "half_open" | "closed") => [
    { handler: "Mailer", category: "my_domain::order", breaker, finished: 0 },
  ];
  for (const state of ["open", "half_open", "open"] as const) {
    figures.workers = [worker(), worker({ id: "w2", subscriptions: subscriptions(state) })];
    await pass(25, service);
  }
  assertEquals(told(), [`breaker_open ${MAILER} firing`]);
  figures.workers = [worker({ subscriptions: subscriptions("closed") })];
  await look(service);
  const pool = (checkedOut: number, waiting: number) => ({ name: "default", size: 5, checkedOut, waiting });
  figures.workers = [
    worker({ pools: [pool(5, 0)], checks: [{ name: "pay", status: "ok" }] }),
    worker({
      ...{ id: "w2", pid: "8", pools: [pool(5, 2)] },
      checks: [{ name: "pay", status: "failed", error: "no answer" }, { name: "new", status: "pending" }],
    }),
  ];
  figures.rows = [subscription({ name: "outbox", category: "default", isOutbox: true, ageSeconds: 61 })];
  figures.lost = [{ id: "h-9-abc", host: "h", pid: "9", gone: true }];
  await look(service);
  assertEquals(told().slice(2), [
    ...["outbox_age default firing", "pool_exhausted default firing", "check pay firing"],
    "worker_lost h-9-abc firing",
  ]);
});

Deno.test("of two replicas one tells, and who takes over repeats nothing, loses nothing and begins nothing anew", async () => {
  const { figures, told, pass, replica, end } = alertRig();
  let [one, two] = [replica(), replica()];
  figures.rows = [subscription({ ageSeconds: 400 })];
  await pass(40, one, two);
  await end(one);
  one = replica();
  await pass(25, two, one);
  assertEquals(told(), [`oldest_age ${MAILER} firing`], "as soon as if nobody had gone");
  await end(two);
  await pass(600, one);
  assertEquals(told().length, 1);
  await end(one);
  figures.rows = [subscription()];
  two = replica();
  await pass(5, two);
  assertEquals(told(), [`oldest_age ${MAILER} firing`, `oldest_age ${MAILER} resolved`]);
});

Deno.test("a restart of all begins no time anew, also where the clock has stepped back", async () => {
  for (const step of [0, -3_600_000]) {
    const { clock, figures, told, pass, look, replica, end } = alertRig();
    const rules = { oldest_age: { for_seconds: 120 } };
    let service = replica({ rules });
    figures.rows = [subscription({ ageSeconds: 400 })];
    await pass(100, service);
    await end(service);
    service = replica({ rules });
    await clock.advance(10_000);
    Object.assign(clock, { now: ((now) => () => now() + step)(clock.now.bind(clock)) });
    await look(service);
    await pass(15, service);
    assertEquals(told().length, step === 0 ? 1 : 0);
    await pass(115, service);
    assertEquals(told(), [`oldest_age ${MAILER} firing`]);
    await end(service);
    await pass(60, replica({ rules }));
    assertEquals(told().length, 1);
  }
});

Deno.test("who is killed between telling and remembering is followed by one who tells again", async () => {
  const { broker, figures, told, look, replica, end } = alertRig();
  const rules = { oldest_age: { for_seconds: 0 } };
  figures.rows = [subscription({ ageSeconds: 400 })];
  const dying = replica({ rules });
  const records = broker.alerts;
  let writes = 0;
  const change = records.change.bind(records);
  records.change = (changes) =>
    changes.length > 0 && ++writes > 1 ? Promise.reject(new Error("killed")) : change(changes);
  await look(dying).catch(() => {});
  records.change = change;
  assertEquals(told(), [`oldest_age ${MAILER} firing`]);
  await end(dying);
  await look(replica({ rules }));
  assertEquals(told(), [`oldest_age ${MAILER} firing`, `oldest_age ${MAILER} firing`]);
});

Deno.test("two who think that they hold the lock do not write over each other", async () => {
  const { broker, figures, told, look, replica } = alertRig();
  const rules = { oldest_age: { for_seconds: 0 } };
  figures.rows = [subscription({ ageSeconds: 400 })];
  const book = new AlertBook(broker, "my_domain");
  const { alerts: none } = await book.load();
  await look(replica({ rules }));
  assertEquals([none.length, told().length], [0, 1]);
  const stale: AlertFacts = {
    rule: "oldest_age",
    subject: MAILER,
    state: "firing",
    since: 0,
    value: 1,
    threshold: 1,
    text: "",
    mark: undefined,
    told: {},
  };
  assertEquals(await book.put([{ before: undefined, after: stale }]), ["changed"]);
  await look(replica({ rules }));
  assertEquals(told().length, 1);
});

Deno.test("a channel that fails is told when it is back, less and less often, and nobody is told twice", async () => {
  const rig = alertRig();
  const { figures, look, pass, replica } = rig;
  let isDown = true;
  let calls = 0;
  const heard: string[] = [];
  const channels: readonly Channel[] = [
    { name: "callback", most: 1, tell: ([alert]) => void heard.push(`callback ${alert?.state}`) },
    {
      ...{ name: "webhook", most: Infinity },
      tell: ([alert]) => {
        calls++;
        if (isDown) throw new Error("down");
        heard.push(`webhook ${alert?.state}`);
      },
    },
  ];
  const failed: string[] = [];
  const observer = { told: () => {}, failed: (channel: string) => void failed.push(channel) };
  const service = replica({ channels, observer, rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = [subscription({ ageSeconds: 400 })];
  const records = await logged(async () => {
    await look(service);
    await pass(300, service);
  });
  assertEquals([heard, calls], [["callback firing"], 6], "0, 5, 15, 35, 75 and 155 s");
  assertEquals(failed.length, 6);
  const errors = records.filter(({ rawMessage, level }) =>
    rawMessage === "alert.not_told" && level === "error"
  );
  assertEquals(errors.length, 1, "told of once");
  isDown = false;
  await pass(300, service);
  assertEquals(heard, ["callback firing", "webhook firing"]);
  figures.rows = [subscription()];
  isDown = true;
  await look(service);
  isDown = false;
  await pass(10, service);
  assertEquals(heard.slice(2), ["callback resolved", "webhook resolved"]);
});

Deno.test("a channel that hangs, and an alert that is over before it was told", async () => {
  const rig = alertRig();
  const { clock, figures, pass, replica } = rig;
  const channels: readonly Channel[] = [{ name: "callback", most: 1, tell: () => new Promise(() => {}) }];
  const service = replica({ channels, rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = [subscription({ ageSeconds: 400 }), subscription({ name: "b", ageSeconds: 400 })];
  const looking = service.look(new AbortController().signal);
  await clock.advance(10_000);
  await looking;
  assertEquals(service.status().counters["failed"], 1, "the second is not even tried");
  figures.rows = [subscription(), subscription({ name: "b" })];
  await pass(10, service);
  assertEquals((await new AlertBook(rig.broker, "my_domain").load()).alerts, []);
});

Deno.test("what fires still is told again after repeat_seconds", async () => {
  const { figures, alerts, look, pass, replica } = alertRig();
  const service = replica({ repeatSeconds: 600, rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = [subscription({ ageSeconds: 400 })];
  await look(service);
  figures.rows = [subscription({ ageSeconds: 990 })];
  await pass(595, service);
  assertEquals(alerts.length, 1);
  await pass(10, service);
  assertEquals(alerts.map(({ value }) => value), [400, 990]);
});

Deno.test("a mute holds back what is told, of a subject or a rule, and ends by itself or by hand", async () => {
  const { broker, figures, told, look, pass, replica } = alertRig();
  const runtime = { name: "my_domain", brokers: new Map([["default", broker]]), runners: [] };
  const rules = { oldest_age: { for_seconds: 0 }, outbox_age: { for_seconds: 0 } };
  const service = replica({ rules });
  figures.rows = [
    ...[subscription({ ageSeconds: 400 }), subscription({ name: "b", ageSeconds: 400 })],
    subscription({ category: "default", isOutbox: true, ageSeconds: 400 }),
  ];
  await muteAlerts(runtime, { rule: "oldest_age", subject: "b", ms: 60_000 });
  await muteAlerts(runtime, { rule: "outbox_age", ms: 3_600_000 });
  await look(service);
  assertEquals(told(), [`oldest_age ${MAILER} firing`]);
  await pass(65, service);
  assertEquals(told().slice(1), ["oldest_age b firing"], "told when the mute is over");
  await muteAlerts(runtime, { rule: "oldest_age", ms: 30_000 });
  figures.rows = figures.rows.map((row) => ({ ...row, ageSeconds: row.isOutbox ? 400 : 0 }));
  await pass(25, service);
  assertEquals(told().length, 2);
  await muteAlerts(runtime, { rule: "outbox_age", ms: 0 });
  await pass(10, service);
  assertEquals(told().slice(2).sort(), [
    "oldest_age b resolved",
    ...[`oldest_age ${MAILER} resolved`, "outbox_age default firing"],
  ]);
  assertEquals((await new AlertBook(broker, "my_domain").load()).mutes, [], "forgotten when they are over");
});

Deno.test("a rule that is turned off while it fires is over; another release's is left alone", async () => {
  const { broker, clock, figures, alerts, told, look, pass, replica, end } = alertRig();
  const foreign = keptId("my_domain", "alert", "moon_phase", "full");
  const since = clock.now();
  await broker.alerts.change([
    {
      id: foreign,
      was: undefined,
      data: JSON.stringify({ state: "firing", since, told: { webhook: since } }),
    },
    { id: keptId("my_domain", "alert", "oldest_age", MAILER), was: undefined, data: '{"state":"dreaming"}' },
    { id: keptId("my_domain", "alert", "oldest_age", "b"), was: undefined, data: "{" },
    { id: keptId("my_domain", "mute", "oldest_age"), was: undefined, data: '{"until":"never"}' },
    { id: "not ours", was: undefined, data: "x" },
  ]);
  const service = replica({ rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = [subscription({ ageSeconds: 400 })];
  await look(service);
  assertEquals(told(), [`oldest_age ${MAILER} firing`], "what cannot be read is nothing");
  await end(service);
  const off = replica({ rules: { oldest_age: { enabled: false } } });
  await look(off);
  assertEquals(told().slice(1), [`oldest_age ${MAILER} resolved`]);
  assertStringIncludes(alerts[1]?.text ?? "", "The rule is off after 0 s");
  const other = replica({ rules: { oldest_age: { subjects: ["c*"] } } });
  await end(off);
  await pass(60, other);
  assertEquals((await broker.alerts.all()).has(foreign), true);
  await clock.advance(7 * 24 * 3_600_000);
  await look(other);
  assertEquals((await broker.alerts.all()).has(foreign), false, "not for ever");
  assertEquals([...(await broker.alerts.all()).keys()].length, 3);
});

Deno.test("a subject that is gone while it fires is over after a minute, a lost worker after an hour", async () => {
  const { figures, alerts, told, look, pass, replica } = alertRig();
  const service = replica({ rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = [subscription({ ageSeconds: 400 })];
  figures.lost = [{ id: "w9", host: "h", pid: "9", gone: true }];
  await look(service);
  figures.rows = [];
  figures.lost = [];
  await pass(55, service);
  assertEquals(told(), [`oldest_age ${MAILER} firing`, "worker_lost w9 firing"]);
  await pass(10, service);
  assertEquals(told().slice(2), [`oldest_age ${MAILER} resolved`]);
  assertStringIncludes(alerts[2]?.text ?? "", "It is not there any more after");
  await pass(3_500, service);
  assertEquals(told().length, 3);
  await pass(60, service);
  assertEquals(told().slice(3), ["worker_lost w9 resolved"]);
});

Deno.test("a thousand that fire at once are one message to the webhook, and a bounded log", async () => {
  const { broker, figures, posted, told, look, replica } = alertRig();
  const service = replica({ rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = Array.from({ length: 2_500 }, (_, n) => subscription({ name: `s${n}`, ageSeconds: 400 }));
  const records = await logged(() => look(service));
  assertEquals([posted.length, posted[0]?.split(",").length, told().length], [1, 2_000, 2_000], "bounded");
  const lines = (name: string) => records.filter(({ rawMessage }) => rawMessage === name).length;
  assertEquals([lines("alert.firing"), lines("alert.more"), lines("alerts.too_many")], [50, 1, 1]);
  assertEquals((await broker.alerts.all()).size, 2_000);
  await look(service);
  assertEquals([posted.length, told().length], [1, 2_000]);
  assertEquals(service.firing?.get("oldest_age"), 2_000);
  assertEquals(service.firing?.get("check"), 0);
});

Deno.test("where no more alerts are kept, those that are kept still end, and there is room again", async () => {
  const { figures, look, broker, replica } = alertRig();
  const rows = Array.from({ length: 2_000 }, (_, n) => subscription({ name: `s${n}`, ageSeconds: 400 }));
  figures.rows = rows;
  const service = replica({ rules: { oldest_age: { for_seconds: 0 } }, channels: [] });
  await look(service);
  // The new one stands before all that are over by now.
  const added = subscription({ name: "new", ageSeconds: 400 });
  figures.rows = [added, ...rows.map((row) => ({ ...row, ageSeconds: 0 }))];
  await look(service);
  await look(service);
  const kept = [...(await broker.alerts.all()).keys()];
  assertEquals([service.firing?.get("oldest_age"), kept.length, kept[0]?.includes('"new"')], [1, 1, true]);
});

Deno.test("a broker that fails is told of once, and the watch goes on", async () => {
  const { broker, clock, figures, told, replica } = alertRig();
  figures.rows = [subscription({ ageSeconds: 400 })];
  const service = replica({ rules: { oldest_age: { for_seconds: 0 } } });
  const all = broker.alerts.all.bind(broker.alerts);
  broker.alerts.all = () => Promise.reject(new Error("no"));
  const records = await logged(async () => {
    await service.start();
    for (let n = 0; n < 4; n++) await clock.advance(5_000);
    broker.alerts.all = all;
    for (let n = 0; n < 4; n++) await clock.advance(5_000);
    await service.stop();
  });
  const said = records.filter(({ level }) => level !== "debug").map(({ rawMessage }) => rawMessage);
  assertEquals(said, ["alerts.failed", "alert.firing", "alerts.recovered"]);
  assertEquals(told(), [`oldest_age ${MAILER} firing`]);
  assertEquals(clock.pending, 0);
});

Deno.test("what code throws at an alert keeps the others from nothing", async () => {
  const { figures, look, pass, replica } = alertRig();
  const heard: (string | undefined)[] = [];
  const tell = ([alert]: readonly Alert[]) => {
    heard.push(alert?.subject);
    if (alert?.subject === "a" && heard.length === 1) throw new Error("no");
  };
  const service = replica({
    channels: [{ name: "callback", most: 1, tell }],
    rules: { oldest_age: { for_seconds: 0 } },
  });
  figures.rows = ["a", "b"].map((name) => subscription({ name, ageSeconds: 400 }));
  await look(service);
  await pass(10, service);
  assertEquals(heard.sort(), ["a", "a", "b"]);
});

Deno.test("who gets the lock back takes over what the one in between has kept", async () => {
  const { figures, told, look, pass, replica, end } = alertRig();
  const rules = { oldest_age: { for_seconds: 120 } };
  const [one, two] = [replica({ rules }), replica({ rules })];
  figures.rows = [subscription({ ageSeconds: 400 })];
  await look(one);
  await end(one);
  await pass(100, two);
  await end(two);
  await pass(25, one);
  assertEquals(told(), [`oldest_age ${MAILER} firing`], "although it has not looked for longer than a gap");
});

Deno.test("nothing is kept for a channel that is no more", async () => {
  const { broker, figures, look, replica, end } = alertRig();
  const rules = { oldest_age: { for_seconds: 0 } };
  const service = replica({ rules });
  figures.rows = [subscription({ ageSeconds: 400 })];
  await look(service);
  await end(service);
  figures.rows = [subscription()];
  await look(replica({ rules, channels: [] }));
  assertEquals([...await broker.alerts.all()], []);
});

Deno.test("who has not heard that it was over is not told again that it fires", async () => {
  const { figures, look, pass, replica } = alertRig();
  let isDown = false;
  const heard: (string | undefined)[] = [];
  const tell = ([alert]: readonly Alert[]) => {
    if (isDown) throw new Error("down");
    heard.push(alert?.state);
  };
  const channels = [{ name: "webhook", most: Infinity, tell }];
  const service = replica({ channels, rules: { oldest_age: { for_seconds: 0 } } });
  figures.rows = [subscription({ ageSeconds: 400 })];
  await look(service);
  isDown = true;
  figures.rows = [subscription()];
  await look(service);
  figures.rows = [subscription({ ageSeconds: 400 })];
  await look(service);
  isDown = false;
  await pass(60, service);
  assertEquals(heard, ["firing"]);
  figures.rows = [subscription()];
  await pass(60, service);
  assertEquals(heard, ["firing", "resolved"]);
});
