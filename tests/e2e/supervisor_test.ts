/**
 * `--workers N`, from outside: real processes, killed, blocked, replaced and told to stop (DRN-4, DRN-5,
 * HLT-4).
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { RunningServer } from "./server.ts";
import { Tasks } from "./tasks.ts";
import { until } from "../support/until.ts";

interface Worker {
  readonly status: string;
  readonly pid?: number;
  readonly restarts: number;
}

async function workers(server: RunningServer): Promise<Record<string, Worker>> {
  const { body } = await server.probe("/readyz");
  return (body["checks"] as { workers: Record<string, Worker> }).workers;
}

async function pids(server: RunningServer): Promise<number[]> {
  return Object.values(await workers(server)).map(({ pid }) => pid ?? 0);
}

async function events(server: RunningServer, event: string): Promise<Record<string, unknown>[]> {
  const lines = (await server.log()).split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line): Record<string, unknown> => JSON.parse(line)).filter((line) =>
    line["event"] === event
  );
}

function isThere(pid: number): boolean {
  try {
    // A zombie has ended, too: nobody has asked for its status yet.
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

async function ready(server: RunningServer, what: string): Promise<void> {
  await server.until(async () => (await server.probe("/readyz")).status === 200, what);
}

Deno.test("two workers share the work behind one port, which names them; SIGTERM drains both: exit 0", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start(["--workers=2"]);
  assertEquals((await server.probe("/livez")).body, {
    status: "ok",
    checks: { event_loop: "responsive", workers: { 1: "responsive", 2: "responsive" } },
  });
  const [first, second] = Object.values(await workers(server));
  assertEquals([first?.status, second?.status, first?.restarts], ["ok", "ok", 0]);
  const ids = Array.from({ length: 60 }, (_, index) => `t${index}`);
  await tasks.give(ids.map((id) => ({ id, does: "wait" })));
  await server.until(async () => (await tasks.ended()).length > 4, "the first tasks to be done");
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  assertEquals((await tasks.started()).sort(), (await tasks.ended()).sort(), "a handler was cut");
  const drained = await events(server, "engine.drained");
  assertEquals(drained.map(({ worker, cut }) => [worker, cut]).sort(), [[1, 0], [2, 0]]);
  assertEquals(await tasks.once(), 0);
  assertEquals((await tasks.ended()).sort(), ids.sort(), "a task was lost or done twice");
});

Deno.test("a worker that is killed is started again and disturbs no other", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start(["--workers=2"]);
  const [first = 0, second = 0] = await pids(server);
  Deno.kill(first, "SIGKILL");
  await server.until(async () => (await workers(server))["1"]?.restarts === 1, "the worker to be down");
  await ready(server, "both to be ready again");
  const now = await workers(server);
  assertNotEquals(now["1"]?.pid, first);
  assertEquals(now["2"], { status: "ok", pid: second, restarts: 0 });
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  const [crash] = await events(server, "supervisor.worker_crashed");
  assertEquals([crash?.["worker"], crash?.["signal"]], [1, "SIGKILL"]);
});

Deno.test("with --no-restart a worker that crashed stays down, unready and not dead: exit 1 in the end", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start(["--workers=2", "--no-restart"]);
  const [first = 0] = await pids(server);
  Deno.kill(first, "SIGKILL");
  await server.until(async () => (await workers(server))["1"]?.status === "down", "the worker to be down");
  assertEquals((await server.probe("/readyz")).status, 503);
  assertEquals((await server.probe("/livez")).status, 200);
  await tasks.give([{ id: "a", does: "nothing" }]);
  await server.until(async () => (await tasks.ended()).length === 1, "the other to go on");
  assertEquals(await server.end("SIGTERM"), 1, await server.log());
});

Deno.test("five crashes within a minute drain the others and end the server with 1", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start(["--workers=2"]);
  const [, second = 0] = await pids(server);
  for (let crash = 1; crash <= 5; crash++) {
    const pid = (await workers(server))["1"]?.pid;
    Deno.kill(pid ?? 0, "SIGKILL");
    if (crash === 5) break;
    await server.until(
      async () => (await workers(server))["1"]?.restarts === crash && (await pids(server))[0] !== 0,
      "the worker to be started again",
    );
  }
  await server.finished();
  assertEquals((await server.child.status).code, 1);
  await server.logged;
  assertEquals((await events(server, "supervisor.too_many_crashes")).length, 1);
  assertEquals((await events(server, "engine.stopped")).map(({ worker }) => worker), [2]);
  assert(!isThere(second));
});

Deno.test("a domain that cannot be loaded ends the server at once: exit 2, and the sentence once", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.installation.launch(["--workers=2"], tasks.installation.port, {
    TASKS_FAIL: "1",
  });
  await server.finished();
  await server.logged;
  assertEquals((await server.child.status).code, 2, await server.log());
  const log = await server.log();
  assertEquals(log.match(/^Error: The domain module .*TASKS_FAIL is set/gm)?.length, 1, log);
  assertEquals(log.split("TASKS_FAIL").length, 2, log);
  assertEquals((await events(server, "supervisor.worker_restarts")).length, 0);
});

Deno.test("SIGUSR2 before there are workers ends nothing", async () => {
  await using tasks = await Tasks.create();
  const { installation } = tasks;
  // Opened by both sides or by none: who could write it knows that the server reads it.
  await Deno.remove(installation.config);
  assertEquals((await new Deno.Command("mkfifo", { args: [installation.config] }).output()).code, 0);
  const server = await installation.launch(["--workers=2"]);
  const config = await Deno.open(installation.config, { write: true });
  server.child.kill("SIGUSR2");
  await config.write(new TextEncoder().encode("no = [toml"));
  config.close();
  await server.finished();
  assertEquals((await server.child.status).code, 2, await server.log());
});

Deno.test("F26: a worker that crashes on boot is tried again with backoff while the other serves, then all end with 1", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start(["--workers=2"]);
  const [first = 0] = await pids(server);
  await tasks.give(Array.from({ length: 200 }, (_, at) => ({ id: `t${at}`, does: "wait" as const })));
  await Deno.writeTextFile(`${tasks.installation.folder}/tasks.broken`, "");
  Deno.kill(first, "SIGKILL");
  await server.until(
    async () => (await events(server, "supervisor.worker_crashed")).length >= 2,
    "a crash on boot",
  );
  const before = (await tasks.ended()).length;
  await server.until(async () => (await tasks.ended()).length > before, "the other to go on");
  assertEquals((await server.probe("/livez")).status, 200);
  await server.finished();
  assertEquals((await server.child.status).code, 1, await server.log());
  await server.logged;
  const waits = (await events(server, "supervisor.worker_restarts")).map(({ wait_ms }) => wait_ms);
  assertEquals(waits, [200, 400, 800, 1600]);
});

for (const [how, ask] of [["SIGUSR2", false], ["reload --pid", true]] as const) {
  Deno.test(`${how} replaces the workers one by one; all but one are ready at any time, and no task is cut`, async () => {
    await using tasks = await Tasks.create();
    const server = await tasks.start(["--workers=2"]);
    const before = await pids(server);
    const ids = Array.from({ length: 60 }, (_, index) => `t${index}`);
    await tasks.give(ids.map((id) => ({ id, does: "wait" })));
    if (ask) {
      const asked = await tasks.installation.run(["reload", "--pid", `${server.child.pid}`]);
      assertEquals(asked.code, 0, asked.err);
    } else server.child.kill("SIGUSR2");
    let least = 2;
    await server.until(async () => {
      const now = Object.values(await workers(server)).filter(({ status }) => status === "ok").length;
      least = Math.min(least, now);
      return (await events(server, "supervisor.roll_ended")).length === 1;
    }, "the workers to be replaced");
    assert(least >= 1, `${least} of two were ready`);
    const after = await workers(server);
    assert(Object.values(after).every(({ pid = 0, restarts }) => !before.includes(pid) && restarts === 0));
    assert(before.every((pid) => !isThere(pid)));
    await server.quiet();
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
    assertEquals((await tasks.ended()).sort(), ids.sort(), "a task was lost or done twice");
    assertEquals((await events(server, "supervisor.worker_crashed")).length, 0);
  });
}

Deno.test("a worker whose event loop is blocked is named in /livez; the server can still be stopped", async () => {
  await using tasks = await Tasks.create("blocked_after_seconds = 1");
  const server = await tasks.start(["--workers=2"]);
  await tasks.give([{ id: "s", does: "spin" }]);
  await server.until(async () => (await server.probe("/livez")).status === 503, "liveness to say 503");
  const { body } = await server.probe("/livez");
  assertEquals(body["status"], "unavailable");
  const { event_loop, workers: named } = body["checks"] as { event_loop: string; workers: object };
  assertEquals([event_loop, Object.values(named).sort()], ["blocked", ["blocked", "responsive"]]);
  assertEquals(Object.values(await workers(server)).map(({ status }) => status).sort(), ["blocked", "ok"]);
  server.child.kill("SIGTERM");
  await server.until(async () => (await events(server, "engine.stopped")).length === 1, "the other to end");
  // The second signal: what cannot hear it is killed.
  assertEquals(await server.end("SIGTERM"), 1, await server.log());
  assertEquals((await events(server, "supervisor.worker_killed")).length, 1);
});

Deno.test("workers whose supervisor was killed drain and end", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start(["--workers=2"]);
  const both = await pids(server);
  await tasks.give([{ id: "a", does: "wait" }, { id: "b", does: "wait" }]);
  await server.until(async () => (await tasks.started()).length === 2, "the tasks to be started");
  server.child.kill("SIGKILL");
  await until(() => both.every((pid) => !isThere(pid)), "the workers to end", { within: 30_000 });
  assertEquals((await tasks.ended()).sort(), ["a", "b"], "a handler was cut");
  await server.logged;
  assertEquals((await events(server, "worker.supervisor_gone")).length, 2);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} to the whole group, as a terminal or systemd sends it, drains and kills nobody`, async () => {
    await using tasks = await Tasks.create();
    const server = await tasks.start(["--workers=2"]);
    await tasks.give([{ id: "a", does: "wait" }, { id: "b", does: "wait" }]);
    await server.until(async () => (await tasks.started()).length === 2, "the tasks to be started");
    for (const pid of await pids(server)) Deno.kill(pid, signal);
    assertEquals(await server.end(signal), 0, await server.log());
    assertEquals((await tasks.ended()).sort(), ["a", "b"]);
    assertEquals((await events(server, "supervisor.worker_crashed")).length, 0);
  });
}

Deno.test("a second signal cuts the drain of every worker: exit 4", async () => {
  await using tasks = await Tasks.create("[server]\ndrain_timeout_seconds = 600");
  const server = await tasks.start(["--workers=2"]);
  await tasks.give([{ id: "deaf", does: "ignore" }]);
  await server.until(async () => (await tasks.started()).length === 1, "the task to be started");
  server.child.kill("SIGTERM");
  await server.until(async () => (await server.probe("/readyz")).status === 503, "readiness to say 503");
  assertEquals((await server.probe("/readyz")).body, {
    status: "unavailable",
    checks: { shutting_down: true },
  });
  assertEquals(await server.end("SIGTERM"), 4, await server.log());
});

for (const args of [[], ["--workers=2"]]) {
  Deno.test(`POST /drainz: nothing more is read, and the server lives on until SIGTERM (${args[0] ?? "alone"})`, async () => {
    await using tasks = await Tasks.create();
    const server = await tasks.start(args);
    const url = `http://127.0.0.1:${server.port}/drainz`;
    const post = (headers: Record<string, string> = {}) => fetch(url, { method: "POST", headers });
    const forged = await post({ origin: "http://evil.example" });
    assertEquals([forged.status, await forged.text()], [403, '{"error":"Forbidden"}']);
    assertEquals((await server.probe("/drainz")).status, 404);
    const answer = await post();
    assertEquals([answer.status, await answer.json()], [200, { status: "draining", pid: server.child.pid }]);
    assertEquals(await server.probe("/readyz"), {
      status: 503,
      body: { status: "unavailable", checks: { draining: true } },
    });
    assertEquals((await server.probe("/livez")).status, 200);
    const workersDrained = args.length > 0 ? 2 : 1;
    await server.until(
      async () => (await events(server, "engine.drain_requested")).length === workersDrained,
      "the engines to have heard of it",
    );
    await tasks.give([{ id: "a", does: "nothing" }]);
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
    assertEquals(await tasks.started(), []);
    assertEquals(await tasks.once(), 0);
    assertEquals(await tasks.ended(), ["a"]);
  });
}

Deno.test("reload does not end what is no server, and a single server says that it has no workers", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start();
  const asked = await tasks.installation.run(["reload", "--pid", `${server.child.pid}`]);
  assertEquals(asked.code, 0, asked.err);
  await server.until(async () => (await events(server, "engine.reload_refused")).length === 1, "a word");
  const sleeper = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    const refused = await tasks.installation.run(["reload", "--pid", `${sleeper.pid}`]);
    assertEquals(refused.code, 1);
    assertMatch(refused.err, /does not listen to SIGUSR2/);
    assert(isThere(sleeper.pid));
  } finally {
    sleeper.kill();
    await sleeper.status;
  }
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});
