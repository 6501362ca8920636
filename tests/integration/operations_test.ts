/**
 * Operations as things that every process finds: killed and gone on with, paused and cancelled from another
 * process, refused while one is alike, left to a server (operations 6).
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Engine, type Operation, type Row } from "@protean/server";
import { Redis } from "ioredis";
import type { BaseBroker } from "../../lib/adapters/ports.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { ProteanError } from "../../lib/errors.ts";
import { AUDIT_STREAM, auditEntries } from "../../lib/operations/audit.ts";
import { OperationDesk } from "../../lib/operations/desk.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { begin, type Child } from "./operations_processes.ts";
import { bury, LANE, openShop, QUEUE } from "./operations_child.ts";

const BACKENDS: Record<string, (folder: string, redis: string) => Row> = {
  SQLite: (folder) => ({ provider: "sqlite", URI: `sqlite:///${folder}/streams.db` }),
  Redis: (_, redis) => ({ provider: "redis", URI: redis }),
};

interface Desk extends Awaited<ReturnType<typeof openShop>> {
  /** Begins a process that does it; `said` holds what it has printed. */
  begin(verb: string, filter: Row, options?: Row): Child;
  /** Runs a server, as another process would, until what it returns is called. */
  serve(): Promise<() => Promise<void>>;
  depth(): Promise<number>;
  sent(): Promise<number>;
  newest(): Promise<Operation>;
}

function everywhere(name: string, work: (desk: Desk) => Promise<void>): void {
  for (const [backend, brokerOf] of Object.entries(BACKENDS)) {
    Deno.test({
      name: `${backend}: ${name}`,
      ignore: backend === "Redis" && !redisAvailable,
      fn: async () => {
        const folder = await Deno.makeTempDir();
        const redis = backend === "Redis" ? await RedisServer.start() : undefined;
        const brokers = brokerOf(folder, redis?.uri ?? "");
        const shop = await openShop(brokers);
        const children: Child[] = [];
        const servers: (() => Promise<void>)[] = [];
        try {
          await work({
            ...shop,
            begin: (verb, filter, options = {}) => {
              const child = begin([
                JSON.stringify(brokers),
                verb,
                JSON.stringify(filter),
                JSON.stringify(options),
              ]);
              children.push(child);
              return child;
            },
            serve: async () => {
              const stop = await serve(brokers);
              servers.push(stop);
              return stop;
            },
            depth: () => shop.broker.length(QUEUE),
            sent: () => shop.broker.length(LANE),
            newest: async () => {
              const [newest] = await shop.domain.operations.list({ limit: 1 });
              assert(newest);
              return newest;
            },
          });
        } finally {
          for (const stop of servers) await stop();
          for (const { process, ended } of children) {
            try {
              process.kill("SIGKILL");
            } catch {
              // It has ended.
            }
            await ended;
          }
          await shop.domain.close();
          await redis?.[Symbol.asyncDispose]();
          await Deno.remove(folder, { recursive: true });
        }
      },
    });
  }
}

async function serve(brokers: Row): Promise<() => Promise<void>> {
  const { domain } = await openShop(brokers);
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  return async () => {
    stop.abort();
    assertEquals(await running, 0);
    await domain.close();
  };
}

function recordsOf({ operations: records }: BaseBroker) {
  assert(records);
  return { records };
}

everywhere("what a killed process has left is gone on with, and each letter is sent once", async (desk) => {
  const { broker, domain, begin, depth, sent, newest } = desk;
  await bury(broker, 150);
  const child = begin("replay", { handler: "Mailer" }, { rate: 100, by: "ann", reason: "mended" });
  await until(() => child.said.includes("done 20"), "the first letters");
  child.process.kill("SIGKILL");
  await child.ended;
  const left = await newest();
  assertEquals([left.state, left.total, left.by, left.reason], ["running", 150, "ann", "mended"]);
  assert(left.done < 150 && await depth() > 0, "it was over before it was killed");

  await domain.operations.resume(left.id);
  const { state, total, done, skipped, failures } = await newest();
  assertEquals({ state, total, done, skipped, failures }, {
    ...{ state: "done", total: 150, done: 150, skipped: 0, failures: 0 },
  });
  assertEquals([await depth(), await sent()], [0, 150]);
  await assertRejects(() => domain.operations.resume(left.id), ProteanError, "is done");
});

everywhere("letters that came after it was made are left alone by whoever goes on with it", async (desk) => {
  const { broker, domain, begin, depth, newest } = desk;
  await bury(broker, 100);
  const child = begin("discard", { type: "Placed" }, { rate: 50 });
  await until(() => child.said.includes("done 5"), "the first letters");
  child.process.kill("SIGKILL");
  await child.ended;
  await bury(broker, 7);
  await domain.operations.resume((await newest()).id);
  const { state, done } = await newest();
  assertEquals([state, done, await depth(), await broker.length(`${QUEUE}:discarded`)], [
    "done",
    100,
    7,
    100,
  ]);
});

everywhere("what another release has kept is listed, and not taken for more than it means", async (desk) => {
  const { domain, broker } = desk;
  await bury(broker, 3);
  const { records } = recordsOf(broker);
  const make = async (id: string, data: unknown) =>
    await records.create({ id, created: Date.now(), state: "paused", alike: id, data: JSON.stringify(data) });
  const asked = { kind: "purge", domain: "shop", by: "ann", detached: false, saves: false };
  const plan = { queues: [{ stream: QUEUE, broker: "default", upper: `${Date.now() + 60_000}-0` }] };
  await make("short", { kind: "purge", domain: "shop", filter: { type: "Placed" } });
  await make("odd", {
    ...asked,
    filter: {},
    total: "3",
    failed: [7, { id: "1-0", why: "no" }],
    ended: "soon",
  });
  await make("narrower", { ...asked, filter: { colour: "red" }, total: 1, plan });
  await make("without a filter", { ...asked, total: 1, plan });
  const listed = await domain.operations.list();
  assertEquals(listed.map(({ id }) => id).sort(), ["narrower", "odd", "short"]);
  const odd = await domain.operations.get("odd");
  assertEquals([odd?.total, odd?.done, odd?.failed, odd?.ended], [
    0,
    0,
    [{ id: "1-0", why: "no" }],
    undefined,
  ]);
  for (const [id, why] of [["narrower", "no filter 'colour'"], ["short", "another release"]] as const) {
    await domain.operations.resume(id);
    const { state, why: told = "" } = await domain.operations.get(id) ?? {};
    assertEquals([state, told.includes(why), await desk.depth()], ["failed", true, 3], told);
  }
});

everywhere("a purge of a whole queue ends with the letters that it was asked for", async (desk) => {
  const { domain, broker } = desk;
  await bury(broker, 3);
  const { id, total } = await domain.deadLetters.purge({}, { detach: true });
  await bury(broker, 2);
  await domain.operations.resume(id);
  const ended = await domain.operations.get(id);
  assertEquals([total, ended?.state, ended?.done, await desk.depth()], [3, "done", 3, 2]);
  await domain.deadLetters.purge({});
  const empty = await domain.deadLetters.purge({}, { detach: true });
  await bury(broker, 2);
  await domain.operations.resume(empty.id);
  assertEquals([(await domain.operations.get(empty.id))?.done, await desk.depth()], [0, 2]);
});

everywhere("another process pauses, resumes and cancels what runs here, within a second", async (desk) => {
  const { broker, domain, begin, depth, newest } = desk;
  await bury(broker, 100);
  const child = begin("replay", { error: "RangeError" }, { rate: 10 });
  await until(() => child.said.includes("done 2"), "the first letters");
  const { id } = await newest();
  await assertRejects(() => domain.operations.resume(id), ProteanError, "Another process runs");
  const asked = performance.now();
  await domain.operations.pause(id);
  assertEquals(await child.ended, "paused");
  const took = performance.now() - asked;
  assert(took < 2_000, `It took ${took} ms.`);
  const paused = await newest();
  assertEquals([paused.state, paused.done], ["paused", 100 - await depth()]);

  const going = domain.operations.resume(id);
  await until(async () => (await newest()).state === "running", "it to go on");
  await until(async () => await depth() < 100 - paused.done, "another letter");
  await domain.operations.cancel(id);
  await going;
  const cancelled = await newest();
  assertEquals([cancelled.state, cancelled.done], ["cancelled", 100 - await depth()]);
  assert(cancelled.ended !== undefined && await depth() > 0);
  for (const change of ["pause", "resume", "cancel"] as const) {
    await assertRejects(() => domain.operations[change](id), ProteanError, "is cancelled");
    await assertRejects(
      () => domain.operations[change]("none"),
      ProteanError,
      "There is no operation 'none'",
    );
  }
  assertEquals(await domain.operations.get("none"), undefined);
});

everywhere("the second of two that are alike is refused with the id of the first", async (desk) => {
  const { broker, domain, begin, newest, depth } = desk;
  await bury(broker, 30);
  const child = begin("replay", { handler: "Mailer", error: "RangeError" }, { rate: 5 });
  await until(() => child.said.includes("done 1"), "the first letter");
  const { id } = await newest();
  const again = () => domain.deadLetters.replay({ error: "RangeError", handler: "Mailer" });
  const refused = await assertRejects(again, ProteanError, id);
  assertEquals(refused.code, "OPERATION_ALIKE");
  assertEquals((await domain.deadLetters.replay({ error: "TypeError", handler: "Mailer" })).state, "done");
  await domain.operations.pause(id);
  await child.ended;
  await assertRejects(again, ProteanError, id);
  await domain.operations.cancel(id);
  const { state } = await again();
  assertEquals([state, await depth()], ["done", 0]);
});

everywhere("a running server does what was left to it, and the next goes on with it", async (desk) => {
  const { broker, domain, newest, depth, serve } = desk;
  await bury(broker, 40);
  const planned = await domain.deadLetters.discard({ handler: "Mailer" }, {
    detach: true,
    rate: 20,
    by: "ann",
  });
  assertEquals([planned.state, planned.total, planned.done, await depth()], ["planned", 40, 0, 40]);
  const stop = await serve();
  await until(async () => await depth() < 38, "the server to begin");
  await stop();
  const left = await newest();
  assertEquals([left.id, left.state, left.done], [planned.id, "planned", 40 - await depth()]);
  assert(await depth() > 0, "it was over before the server was stopped");
  await serve();
  await until(async () => (await newest()).state === "done", "the end");
  assertEquals([(await newest()).done, await depth()], [40, 0]);
  const ofAnn = async () =>
    (await auditEntries(broker, { limit: 9 })).filter(({ who }) => who === "ann").map(({ outcome }) =>
      outcome
    );
  await until(async () => (await ofAnn()).length === 2, "its audit");
  assertEquals(await ofAnn(), ["done", "planned"]);
});

everywhere("a canary whose process was killed is still waited for", async (desk) => {
  const { broker, domain, begin, sent, depth, newest, serve } = desk;
  await bury(broker, 10);
  const child = begin("replay", {}, { canary: 3 });
  await until(async () => await sent() === 3, "the canaries");
  child.process.kill("SIGKILL");
  await child.ended;
  const { id, state } = await newest();
  assertEquals(state, "running");
  const going = domain.operations.resume(id);
  const beats = async () => (await broker.operations?.get(id))?.beats ?? 0;
  const before = await beats();
  await until(async () => await beats() > before + 2, "whoever goes on with it to wait");
  assertEquals((await newest()).done, 3);
  assertEquals(await depth(), 7, "nobody has handled them");
  await serve();
  await going;
  const { state: last, done, why } = await newest();
  assertEquals([last, done, why, await depth()], ["done", 10, undefined, 0]);
});

everywhere(
  "the audit keeps allowed and refused changes, and no more than its last ten thousand",
  async (desk) => {
    const { broker, domain } = desk;
    await bury(broker, 2);
    await domain.deadLetters.purge({ handler: "Mailer" }, { by: "ann", reason: "tests" });
    await assertRejects(() => domain.deadLetters.purge({ handler: "Mialer" }, { by: "bob" }), ProteanError);
    const [refused, allowed] = await auditEntries(broker, { limit: 2, domain: "shop" });
    assertEquals([refused?.["who"], refused?.["what"], refused?.["outcome"]], [
      "bob",
      "dlq.purge",
      "refused",
    ]);
    assertEquals(
      [allowed?.["who"], allowed?.["count"], allowed?.["reason"], allowed?.["filter"]],
      ["ann", 2, "tests", { handler: "Mailer" }],
    );
    await flood(broker, 10_050);
    await domain.deadLetters.purge({ handler: "Mailer" }, { by: "eve" });
    assertEquals(await broker.length(AUDIT_STREAM), 10_000);
    assertEquals((await auditEntries(broker, { limit: 1 }))[0]?.["who"], "eve");
  },
);

async function flood(broker: BaseBroker, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1_000) {
    const entries = Array.from(
      { length: Math.min(left, 1_000) },
      () => ({ stream: AUDIT_STREAM, data: "{}" }),
    );
    await broker.publish(entries);
  }
}

everywhere(
  "operations of another domain on the same broker are not this one's",
  async ({ broker, domain }) => {
    const { clock } = runtimeOf(domain);
    const other = OperationDesk.on(broker, clock, "billing");
    const asked = { kind: "purge", filter: {}, by: "ann", detached: true, saves: false } as const;
    const { id } = await other.make(asked, { total: 0, plan: { queues: [] } });
    assertEquals([await domain.operations.list(), await domain.operations.get(id)], [[], undefined]);
    assertEquals((await domain.deadLetters.purge({})).state, "done", "it is not alike");
  },
);

Deno.test({
  name: "a Redis at its limit, which keeps no operation, is purged all the same",
  ignore: !redisAvailable,
  fn: async () => {
    await using redis = await RedisServer.start();
    const { domain, broker } = await openShop({ provider: "redis", URI: redis.uri });
    const bare = new Redis(redis.port);
    try {
      await bury(broker, 5);
      await bare.config("SET", "maxmemory", "1");
      const { state, done } = await domain.deadLetters.purge({ type: "Placed" });
      assertEquals([state, done, await broker.length(QUEUE)], ["done", 5, 0]);
      await bare.config("SET", "maxmemory", "0");
      assertEquals(await domain.operations.list(), []);
    } finally {
      bare.disconnect();
      await domain.close();
    }
  },
});
