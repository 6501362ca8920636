/** What a supervisor does, decided in memory: its processes are fakes and its time is the test's. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { poolAlive, poolSnapshot, supervisorRoutes } from "../../../lib/supervisor/health.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { reportLine } from "../../../lib/supervisor/protocol.ts";
import { Supervisor, type SupervisorOptions } from "../../../lib/supervisor/supervisor.ts";
import type { HealthSnapshot } from "../../../lib/health/types.ts";
import { until } from "../../support/until.ts";
import { FakeChild, READY } from "./fake_child.ts";

interface Rig {
  readonly clock: FakeClock;
  readonly supervisor: Supervisor;
  /** In the order in which they were started. */
  readonly children: FakeChild[];
  readonly stop: AbortController;
  readonly cut: AbortController;
  readonly code: Promise<number>;
}

function rig(
  options: Partial<SupervisorOptions> = {},
  make = (pid: number): FakeChild => new FakeChild(pid),
): Rig {
  const clock = new FakeClock();
  const children: FakeChild[] = [];
  const [stop, cut] = [new AbortController(), new AbortController()];
  const supervisor = new Supervisor({
    ...{ workers: 2, restart: true, once: false, drainTimeoutSeconds: 10, blockedAfterSeconds: 10, clock },
    spawn: () => {
      const child = make(children.length + 1);
      children.push(child);
      return child;
    },
    printed: () => {},
    ...options,
  });
  const code = supervisor.run({ signal: stop.signal, cut: cut.signal });
  code.catch(() => {});
  return { clock, supervisor, children, stop, cut, code };
}

/** What a stream hands on takes turns of the event loop. */
const seen = (what: string, condition: () => boolean) => until(condition, what, { every: 1, within: 5_000 });

Deno.test("the exit code is the worst of the workers', 1 over 4 over 0", async () => {
  for (const [codes, expected] of [[[0, 0], 0], [[4, 0], 4], [[4, 2], 1], [[0, 137], 1]] as const) {
    const { stop, code, children } = rig({}, (pid) => new FakeChild(pid, codes[pid - 1]));
    for (const child of children) child.report({ alive: true });
    await turns();
    stop.abort("SIGTERM");
    assertEquals(await code, expected);
    assertEquals(children.map(({ orders }) => orders), [
      [{ order: "drain", reason: "SIGTERM" }],
      [{ order: "drain", reason: "SIGTERM" }],
    ]);
  }
});

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((next) => setTimeout(next, 0));
}

for (const [drain, seconds] of [[10, 30], [60, 65]] as const) {
  Deno.test(`a worker that does not end is killed after ${seconds} s where the drain may take ${drain}`, async () => {
    const { clock, stop, code, children } = rig(
      { drainTimeoutSeconds: drain },
      (pid) => new FakeChild(pid, pid === 1 ? "never" : 0),
    );
    for (const child of children) child.report({ alive: true });
    await turns();
    stop.abort("SIGTERM");
    await clock.advance(seconds * 1000 - 1);
    assert(!children[0]?.killed);
    await clock.advance(1);
    assert(children[0]?.killed);
    assertEquals(await code, 1);
    assertEquals(clock.pending, 0);
  });
}

Deno.test("the second signal goes to all of them, and what cannot hear it is killed soon", async () => {
  const { clock, stop, cut, code, children } = rig(
    { drainTimeoutSeconds: 600 },
    (pid) => new FakeChild(pid, "never"),
  );
  stop.abort("SIGTERM");
  cut.abort("SIGTERM");
  await seen("the orders", () => children.every(({ orders }) => orders.length === 2));
  assertEquals(children[0]?.orders[1], { order: "abort" });
  await clock.advance(8_000);
  assert(children.every(({ killed }) => killed));
  await code;
  assertEquals(clock.pending, 0);
});

Deno.test("a worker that crashes again waits twice as long; five crashes in a minute are the end", async () => {
  const { clock, supervisor, children, code } = rig();
  for (const [crash, wait] of [200, 400, 800, 1600].entries()) {
    children.at(crash === 0 ? 0 : -1)?.end(9);
    await seen("its place to be empty", () => supervisor.slots[0]?.current === undefined);
    await turns();
    await clock.advance(wait - 1);
    assertEquals(children.length, 2 + crash);
    await clock.advance(1);
    assertEquals(children.length, 3 + crash);
  }
  assertEquals(supervisor.slots[0]?.restarts, 4);
  children.at(-1)?.end(9);
  assertEquals(await code, 1);
  assertEquals(children[1]?.orders, [{ order: "drain", reason: "too many crashes" }]);
  assertEquals(clock.pending, 0);
});

Deno.test("crashes that lie further apart than a minute are forgotten", async () => {
  const { clock, supervisor, children, stop, code } = rig();
  for (let crash = 0; crash < 8; crash++) {
    const before = children.length;
    children.at(crash === 0 ? 0 : -1)?.end(9);
    await seen("its place to be empty", () => supervisor.slots[0]?.current === undefined);
    await turns();
    await clock.advance(200);
    assertEquals(children.length, before + 1);
    await clock.advance(60_000);
  }
  stop.abort("SIGTERM");
  assertEquals(await code, 0);
});

Deno.test("a stop while a worker waits to be started again starts it no more", async () => {
  const { supervisor, children, stop, code } = rig();
  children[0]?.end(9);
  await seen("its place to be empty", () => supervisor.slots[0]?.current === undefined);
  stop.abort("SIGTERM");
  assertEquals(await code, 1);
  assertEquals(children.length, 2);
});

Deno.test("a worker that cannot begin, when none ever has, ends them all with its own sentence", async () => {
  for (const options of [{}, { once: true }, { restart: false }]) {
    const { clock, children, code } = rig(options);
    children[1]?.report({ alive: true, snapshot: { ...READY, starting: true } });
    children[0]?.print(reportLine({ refused: "[brokers.default] URI is wrong." }));
    await turns();
    children[0]?.end(2);
    await assertRejects(() => code, ConfigurationError, "[brokers.default] URI is wrong.");
    assertEquals(children.length, 2);
    assertEquals(children[1]?.orders, [{ order: "drain", reason: "a worker cannot begin" }]);
    assertEquals(clock.pending, 0);
  }
});

Deno.test("a worker that cannot begin any more, when one has, is a crash like any other", async () => {
  const { clock, children, supervisor, stop, code } = rig();
  children[1]?.report({ alive: true, snapshot: READY });
  await seen("one to have started", () => supervisor.slots[1]?.current?.started === true);
  children[0]?.print(reportLine({ refused: "[brokers.default] URI is wrong." }));
  await turns();
  children[0]?.end(2);
  await seen("its place to be empty", () => supervisor.slots[0]?.current === undefined);
  await turns();
  await clock.advance(200);
  assertEquals(children.length, 3);
  stop.abort("SIGTERM");
  assertEquals(await code, 0);
});

Deno.test("with --once a worker that has done its work is not started again", async () => {
  const { children, code } = rig({ once: true });
  for (const child of children) child.end(0);
  assertEquals(await code, 0);
  assertEquals(children.length, 2);
});

Deno.test("a successor that does not become ready ends the roll, and the old worker stays", async () => {
  const { clock, supervisor, children, stop, code } = rig();
  for (const child of children) child.report({ alive: true, snapshot: READY });
  await seen("both to be ready", () => supervisor.slots.every(({ current }) => current?.ready));
  const rolled = supervisor.roll();
  const again = supervisor.roll();
  await again;
  assertEquals(children.length, 3);
  await clock.advance(60_000);
  await rolled;
  await seen("it to be told", () => children[2]?.orders.length === 1);
  // It may be at work, although something else keeps it from being ready.
  assertEquals([children[2]?.orders[0], children[2]?.killed], [{ order: "drain", reason: "reload" }, false]);
  assertEquals([children[0]?.orders, supervisor.slots[0]?.current?.pid], [[], 1]);
  stop.abort("SIGTERM");
  assertEquals(await code, 0);
  assertEquals(clock.pending, 0);
});

Deno.test("a successor that crashes while its predecessor drains is missed at once, and started again", async () => {
  const { clock, supervisor, children, stop, code } = rig(
    {},
    (pid) => new FakeChild(pid, pid === 1 ? "never" : 0),
  );
  for (const child of children) child.report({ alive: true, snapshot: READY });
  await seen("both to be ready", () => supervisor.slots.every(({ current }) => current?.ready));
  const rolled = supervisor.roll();
  children[2]?.report({ alive: true, snapshot: READY });
  await seen("the first to be told", () => children[0]?.orders.length === 1);
  children[2]?.end(9);
  await seen("its place to be empty", () => supervisor.slots[0]?.current === undefined);
  assertEquals(poolSnapshot(supervisor).workers?.["1"], { status: "down", restarts: 0 });
  await turns();
  await clock.advance(200);
  assertEquals(supervisor.slots[0]?.current?.pid, 4);
  children[0]?.end(0);
  await seen("the next one's turn", () => children.length === 5);
  assertEquals(supervisor.slots[0]?.current?.pid, 4);
  stop.abort("SIGTERM");
  assertEquals(await code, 0);
  await rolled;
  assertEquals(clock.pending, 0);
});

Deno.test("with --no-restart a successor takes the place of a worker that crashed meanwhile, and is watched", async () => {
  const { supervisor, children, stop, code } = rig({ restart: false });
  for (const child of children) child.report({ alive: true, snapshot: READY });
  await seen("both to be ready", () => supervisor.slots.every(({ current }) => current?.ready));
  void supervisor.roll();
  children[0]?.end(9);
  await seen("its place to be empty", () => supervisor.slots[0]?.current === undefined);
  children[2]?.report({ alive: true, snapshot: READY });
  await seen("its place to be taken", () => supervisor.slots[0]?.current?.pid === 3);
  children[2]?.end(9);
  await seen("its place to be empty again", () => supervisor.slots[0]?.current === undefined);
  stop.abort("SIGTERM");
  assertEquals(await code, 1);
});

Deno.test("after POST /drainz nothing is rolled: what reads nothing more is never ready", async () => {
  const { supervisor, children, stop, code } = rig();
  supervisor.quiesce();
  await supervisor.roll();
  assertEquals(children.length, 2);
  stop.abort("SIGTERM");
  assertEquals(await code, 0);
});

Deno.test("where no process can be started the run rejects and nothing is left", async () => {
  let left: FakeChild | undefined;
  const { code, clock } = rig({}, (pid) => {
    if (pid === 2) throw new Error("no room");
    return left = new FakeChild(pid);
  });
  await assertRejects(() => code, Error, "no room");
  assert(left?.killed);
  assertEquals(clock.pending, 0);
});

Deno.test("a stopped supervisor starts nothing", async () => {
  const supervisor = new Supervisor({
    ...{ workers: 2, restart: true, once: false, drainTimeoutSeconds: 10, blockedAfterSeconds: 10 },
    clock: new FakeClock(),
    spawn: () => {
      throw new Error("it was started");
    },
    printed: () => {},
  });
  const signal = AbortSignal.abort("SIGTERM");
  assertEquals(await supervisor.run({ signal, cut: new AbortController().signal }), 0);
});

Deno.test("what a domain prints in a worker is passed on, and told from the reports", async () => {
  const printed: string[] = [];
  const { children, supervisor, stop, code } = rig({ printed: (text) => printed.push(text) });
  children[0]?.print("hello\nno end");
  children[0]?.report({ alive: true, snapshot: READY });
  children[0]?.print("more\n");
  children[0]?.print("\u001e{broken\n");
  await seen("all of it", () => printed.length === 3 && supervisor.slots[0]?.current?.ready === true);
  assertEquals(printed, ["hello\n", "no end", "more\n"]);
  stop.abort("SIGTERM");
  await code;
});

const component = (status: "ok" | "unavailable", error?: string) =>
  ({ kind: "broker", name: "default", status, ...(error && { error }) }) as const;

Deno.test("one answer for all: the worst of each component, breaker and worker", async () => {
  const row = (circuit_state: "closed" | "open") => ({
    ...{ name: "a", handler_name: "A", stream_category: "s", lag: 1, pending: 0, status: "lagging" as const },
    ...{ dlq_depth: 0, lag_seconds: null, subscription_type: "stream" as const, circuit_state },
  });
  const { children, supervisor, clock, stop, code } = rig();
  assertEquals(poolSnapshot(supervisor).workers?.["1"], { status: "starting", pid: 1, restarts: 0 });
  const snapshots: HealthSnapshot[] = [
    {
      shuttingDown: false,
      components: [component("ok")],
      subscriptions: { total: 1, details: [row("closed")] },
    },
    {
      shuttingDown: false,
      components: [component("unavailable", "gone")],
      subscriptions: { total: 1, details: [row("open")] },
    },
  ];
  for (const [at, snapshot] of snapshots.entries()) children[at]?.report({ alive: true, snapshot });
  await seen("both", () => supervisor.slots.every(({ current }) => current?.health.snapshot));
  const { components, subscriptions, workers } = poolSnapshot(supervisor);
  assertEquals(components, [component("unavailable", "gone")]);
  assertEquals(subscriptions, { total: 1, details: [row("open")] });
  assertEquals(Object.values(workers ?? {}).map(({ status }) => status), ["ok", "degraded"]);

  // Worker 2 goes on reporting, worker 1 does not.
  for (let second = 0; second < 12; second++) {
    await clock.advance(1_000);
    children[1]?.report({ alive: true });
    await turns();
  }
  assert(!poolAlive(supervisor.slots));
  const answer = supervisorRoutes(supervisor).get("/livez")?.();
  assertEquals(answer, {
    status: 503,
    body: {
      status: "unavailable",
      checks: { event_loop: "blocked", workers: { 1: "blocked", 2: "responsive" } },
    },
  });
  stop.abort("SIGTERM");
  await code;
});

Deno.test("a component that one worker warns of is warned of, and one that is away for another is away", async () => {
  const { children, supervisor, stop, code } = rig();
  const warned = { ...component("ok"), warning: "Redis is nearly full." };
  const of = (state: HealthSnapshot["components"][number]): HealthSnapshot => ({
    ...READY,
    components: [state],
  });
  children[0]?.report({ alive: true, snapshot: of(component("ok")) });
  children[1]?.report({ alive: true, snapshot: of(warned) });
  await seen("both", () => supervisor.slots.every(({ current }) => current?.health.snapshot));
  assertEquals(poolSnapshot(supervisor).components, [warned]);
  children[0]?.report({ alive: true, snapshot: of(component("unavailable", "gone")) });
  await seen("the outage", () => poolSnapshot(supervisor).components[0]?.status === "unavailable");
  stop.abort("SIGTERM");
  await code;
});
