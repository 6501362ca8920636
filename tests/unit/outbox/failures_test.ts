/**
 * What goes wrong under a running processor: dependencies that are down, defects, and brokers that refuse
 * single rows.
 */
import { assert, assertEquals } from "@std/assert";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { sleep } from "../../../lib/async/clock.ts";
import { ConfigurationError, ProteanError, ProviderUnavailableError } from "../../../lib/errors.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { logged } from "../../support/logged.ts";
import { intercept, OutboxRig } from "./outbox_rig.ts";

const down: readonly (readonly [what: string, error: Error])[] = [
  ["does not answer", new ProviderUnavailableError("Database 'default' does not answer.")],
  ["refuses the password", new ConfigurationError("Database 'default' refuses the connection.")],
  ["fails a statement", new ProteanError("A statement failed on my_domain.db.", { code: "SQL" })],
];

for (const [what, error] of down) {
  Deno.test(`a database that ${what} is tried again until it is mended, and ends nothing`, async () => {
    const rig = new OutboxRig();
    let broken = true;
    intercept(rig, {
      lease: (lease) => ({ claim: (limit) => broken ? Promise.reject(error) : lease.claim(limit) }),
    });
    const failures: Error[] = [];
    const processor = rig.processor(10, (failure) => failures.push(failure));
    await processor.start();
    await rig.commit("a1 a2");
    await rig.clock.advance(60_000);
    assertEquals([failures.length, processor.running, await rig.counts()], [0, true, "pending 2"]);
    broken = false;
    await rig.clock.advance(6_000);
    assertEquals(rig.broker.published, ["a1", "a2"]);
    await rig.close(processor);
  });
}

Deno.test("an error that is no adapter's is a defect: it ends the processor and is reported", async () => {
  const rig = new OutboxRig();
  const defect = new TypeError("undefined is not a function");
  intercept(rig, { lease: () => ({ claim: () => Promise.reject(defect) }) });
  const failures: Error[] = [];
  const processor = rig.processor(10, (failure) => failures.push(failure));
  await processor.start();
  await rig.clock.advance(0);
  assertEquals([failures, processor.running, rig.clock.pending], [[defect], false, 0]);
  const free = await rig.provider.outbox.lease({ broker: "default", owner: "other" });
  assertEquals(free.shards.length, 16);
});

Deno.test("no shard is let go while a publish is under way, whatever fails meanwhile", async () => {
  const rig = new OutboxRig();
  const gate = Promise.withResolvers<void>();
  let claims = 0;
  let released = 0;
  intercept(rig, {
    lease: (lease) => ({
      claim: (limit) =>
        claims++ === 1 ? Promise.reject(new ProviderUnavailableError("gone")) : lease.claim(limit),
      release: () => {
        released++;
        return lease.release();
      },
    }),
  });
  await rig.commit("a1 a2 a3");
  rig.broker.gate = gate.promise;
  const processor = rig.processor(1);
  await processor.start();
  await rig.clock.advance(0);
  assertEquals([claims, rig.broker.batches, released], [2, [1], 0]);
  gate.resolve();
  await rig.clock.advance(0);
  assertEquals([rig.broker.published, released], [["a1"], 1]);
  await rig.clock.advance(6_000);
  // The mark of the first was lost with the store: it is published again, before those behind it.
  assertEquals(rig.broker.published, ["a1", "a1", "a2", "a3"]);
  await rig.close(processor);
});

Deno.test("a row that is due in somebody else's hands is waited for from tick to tick, not polled", async () => {
  const rig = new OutboxRig();
  await rig.commit("a1");
  const other = await rig.provider.outbox.lease({ broker: "default", owner: "other" });
  const [row] = await other?.claim(1) ?? [];
  await other?.settle([{
    id: row?.id ?? "",
    status: "failed",
    error: "no",
    retryAt: rig.clock.now() + 10,
  }]);
  let looks = 0;
  const count = <T>(answer: T): T => {
    looks++;
    return answer;
  };
  intercept(rig, {
    lease: (lease) => ({
      claim: (limit) => count(lease.claim(limit)),
    }),
  });
  const processor = rig.processor();
  await processor.start();
  await rig.clock.advance(2_000);
  assert(looks <= 5, `${looks} looks in two seconds`);
  await other?.release();
  await rig.clock.advance(1_000);
  assertEquals(rig.ofStream("a"), ["a1"]);
  await rig.close(processor);
});

Deno.test("a store that answers a time long past is not polled without a pause", async () => {
  const rig = new OutboxRig();
  let looks = 0;
  intercept(rig, {
    lease: () => ({
      nextDue: () => {
        looks++;
        return Promise.resolve(rig.clock.now() - 1000);
      },
    }),
  });
  const processor = rig.processor();
  await processor.start();
  await rig.clock.advance(2_000);
  assert(looks <= 3, `${looks} looks in two seconds`);
  await rig.close(processor);
});

Deno.test("a broker that refuses one row and takes later ones does not get a later one of the same stream", async () => {
  const rig = new OutboxRig();
  rig.broker.capabilities = { embedded: false };
  rig.broker.stumbles = new Set(["a2", "b1"]);
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1 a2 b1 a3 c1 b2 c2");
  assertEquals(rig.ofStream("a"), ["a1"]);
  assertEquals(rig.ofStream("b"), []);
  assertEquals(rig.ofStream("c"), ["c1", "c2"]);
  // One row of each stream at a time.
  assertEquals(rig.broker.batches, [3, 2]);
  await rig.clock.advance(1_000);
  assertEquals(rig.ofStream("a"), ["a1", "a2", "a3"]);
  assertEquals(rig.ofStream("b"), ["b1", "b2"]);
  await rig.close(processor);
});

Deno.test("rows refused for the sake of an earlier one of their stream have not had their attempt", async () => {
  const rig = new OutboxRig();
  rig.broker.refused.add("shop::order-a");
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1 a2 a3");
  assertEquals(rig.broker.batches, [3]);
  // a1 is tried three times and given up; only then has a2 its first attempt.
  await rig.clock.advance(3_000);
  const rows = await rig.provider.outbox.list({ limit: 9 });
  assertEquals(rows.map(({ messageId, status, retryCount }) => `${messageId} ${status} ${retryCount}`), [
    "a1 abandoned 3",
    "a2 failed 1",
    "a3 pending 0",
  ]);
  rig.broker.refused.clear();
  await rig.clock.advance(1_000);
  assertEquals(rig.ofStream("a"), ["a2", "a3"]);
  await rig.close(processor);
});

Deno.test("processors that wait for a broker together tell of the outage once each, and of its end once it is over", async () => {
  const rig = new OutboxRig();
  const told: string[] = [];
  const note = ({ rawMessage }: LogRecord) => told.push(String(rawMessage));
  await configure({
    reset: true,
    sinks: { note },
    loggers: [
      { category: "protean", sinks: ["note"], lowestLevel: "info" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal" },
    ],
  });
  rig.broker.away = true;
  // Whoever waits for its answer has the shards, and the others find nothing to do.
  Object.defineProperty(rig.broker, "gate", { get: () => sleep(rig.clock, 5000) });
  const processors = [rig.processor(), rig.processor()];
  try {
    await rig.commit("a1 b1");
    for (const processor of processors) await processor.start();
    await rig.clock.advance(60_000);
    assertEquals(told, ["outbox.publishing_paused", "outbox.publishing_paused"]);
    rig.broker.away = false;
    await rig.clock.advance(15_000);
    assertEquals([told[2], await rig.counts()], ["outbox.publishing_again", "published 2"]);
  } finally {
    await rig.close(...processors);
    await reset();
  }
});

Deno.test("a stream that alone is refused waits by itself, uncounted, with any number of rows, and no other does (D8)", async () => {
  const rig = new OutboxRig();
  const health = new WorkHealth(rig.clock);
  const reporter = () => health.reporter("broker", "default");
  const processor = rig.processor(10, undefined, {
    provider: reporter(),
    broker: reporter(),
    streams: reporter(),
  });
  rig.broker.wrong.add("shop::parcel");
  const records = await logged(async () => {
    await processor.start();
    await rig.commit(Array.from({ length: 50 }, (_, n) => `p${n}`).join(" "));
    await rig.commit("b1 c1");
    await rig.clock.advance(100);
    assertEquals(rig.broker.published, ["b1", "c1"]);
    for (let hour = 0; hour < 60; hour++) {
      await rig.commit(`b${hour + 10}`);
      await rig.clock.advance(60_000);
      assertEquals(rig.broker.published.length, 3 + hour);
      assertEquals(health.fault("broker", "default"), "'shop::parcel' is no stream.");
    }
    rig.broker.wrong.clear();
    await rig.clock.advance(5_000);
  });
  assertEquals(rig.ofStream("p"), Array.from({ length: 50 }, (_, n) => `p${n}`));
  assertEquals(health.fault("broker", "default"), undefined);
  assertEquals(
    records.map(({ rawMessage }) => String(rawMessage)).filter((line) => line.startsWith("outbox.")),
    ["outbox.stream_refused", "outbox.stream_taken"],
  );
  await rig.close(processor);
});
