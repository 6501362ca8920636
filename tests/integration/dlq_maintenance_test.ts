/**
 * Dead-letter maintenance on a real Redis: two replicas, letters that stream in, a lock that is lost (F23,
 * DLQ-2, DLQ-6).
 */
import { assert, assertEquals } from "@std/assert";
import { Alerter } from "../../lib/alerts/alerter.ts";
import { alertNotTold } from "../../lib/dlq/receivers.ts";
import { DlqMaintenance } from "../../lib/dlq/maintenance.ts";
import type { BaseBroker } from "../../lib/adapters/ports.ts";
import { systemClock } from "../../lib/async/clock.ts";
import type { DlqAlert } from "../../lib/domain/dlq_alert.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { until } from "../support/until.ts";
import { RedisRig } from "./redis_rig.ts";

const QUEUE = "shop::order:dlq";
const HOUR_MS = 3_600_000;

function replica(broker: BaseBroker, alerts: DlqAlert[], clock = systemClock, intervalSeconds = 0.05) {
  return new DlqMaintenance({
    domain: "my_domain",
    ...{ broker, clock, alertThreshold: 10, alertOn: "cycle", intervalSeconds, random: () => 0 },
    queues: [{
      stream: QUEUE,
      rules: [{ handler: "Mailer", group: "shop.Mailer", retentionHours: 1, alertThreshold: 10 }],
    }],
    alerter: () =>
      Promise.resolve(
        new Alerter([{ name: "test", tell: (alert) => void alerts.push(alert) }], clock, alertNotTold),
      ),
  });
}

Deno.test("nothing younger than its retention goes while letters stream in, and what is older does (F23)", async () => {
  await using rig = await RedisRig.open();
  const redis = rig.client();
  const now = Number((await redis.time())[0]) * 1000;
  // As old as the retention, to the minute, and older; then what streams in meanwhile.
  for (let n = 0; n < 2_500; n++) {
    await redis.xadd(QUEUE, `${now - 2 * HOUR_MS + n}-0`, "data", `{"n":${n}}`);
  }
  for (let n = 0; n < 50; n++) await redis.xadd(QUEUE, `${now - HOUR_MS + 60_000 + n}-0`, "data", "{}");
  const alerts: DlqAlert[] = [];
  const brokers = [await rig.broker(), await rig.broker()];
  const replicas = brokers.map((broker) => replica(broker, alerts));
  for (const one of replicas) await one.start();
  let written = 50;
  for (let n = 0; n < 200; n++, written++) await redis.xadd(QUEUE, "*", "data", "{}");
  await until(
    () => replicas.reduce((sum, one) => sum + (one.status().counters["trimmed"] ?? 0), 0) >= 2_500,
    "the old letters go",
  );
  await until(() => alerts.some(({ depth }) => depth === written), "the new ones are counted");
  for (const one of replicas) await one.stop();
  assertEquals(await redis.xlen(QUEUE), written);
  assertEquals(replicas.map((one) => one.status().counters["trimmed"]).sort(), [0, 2_500]);
  // One of them alone has alerted, in every cycle of its own.
  const told = replicas.map((one) => one.status().counters["alerts"] ?? 0).sort((a, b) => a - b);
  assertEquals(told, [0, alerts.length]);
  assertEquals(alerts.at(-1)?.oldest, new Date(now - HOUR_MS + 60_000));
});

Deno.test("two replicas alert once a cycle between them, and go on when the one is gone (DLQ-6)", async () => {
  await using rig = await RedisRig.open();
  const redis = rig.client();
  for (let n = 0; n < 10; n++) await redis.xadd(QUEUE, "*", "data", "{}");
  const alerts: DlqAlert[] = [];
  const clock = new FakeClock(Date.now());
  const [first, second] = [await rig.broker(), await rig.broker()];
  const one = replica(first, alerts, clock, 60);
  const other = replica(second, alerts, clock, 60);
  await one.start();
  await until(async () => (await clock.advance(1), alerts.length === 1), "the first alert");
  await other.start();
  for (let cycle = 2; cycle <= 4; cycle++) {
    // In steps: the cycle before may be at work still, and its wait begins when it has ended.
    await until(async () => (await clock.advance(5_000), alerts.length >= cycle), `alert ${cycle}`);
    assertEquals(alerts.length, cycle);
  }
  await one.stop();
  await until(
    async () => (await clock.advance(60_000), (other.status().counters["alerts"] ?? 0) > 0),
    "the other takes over",
  );
  await other.stop();
  assert(one.status().counters["alerts"] === 4, String(one.status().counters["alerts"]));
});

Deno.test("a large letter is not read to know how old it is", async () => {
  await using rig = await RedisRig.open();
  const redis = rig.client();
  const id = await redis.xadd(QUEUE, "*", "data", "x".repeat(8 * 1024 * 1024));
  const broker = await rig.broker();
  await broker.deadLetters.oldest(QUEUE);
  const before = outputBytes(await redis.info("stats"));
  assertEquals(await broker.deadLetters.oldest(QUEUE), Number(id?.split("-")[0]));
  assert(outputBytes(await redis.info("stats")) - before < 64 * 1024);
});

function outputBytes(info: string): number {
  return Number(/total_net_output_bytes:(\d+)/.exec(info)?.[1]);
}
