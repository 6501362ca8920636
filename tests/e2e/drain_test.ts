/**
 * The drain, from outside: what a signal ends, what it lets finish, and what the next server finds (design 7,
 * F3 to F5).
 */
import { assert, assertEquals } from "@std/assert";
import type { RunningServer } from "./server.ts";
import { logged, Tasks } from "./tasks.ts";

/** Milliseconds that one step of the drain took, by the server's own log. */
async function took(server: RunningServer, step: string): Promise<number> {
  const [line] = await logged(server, `engine.${step}`);
  return Number(line?.["duration_ms"]);
}

Deno.test("F3: SIGTERM under load lets handlers of 200 ms finish: exit 0, and nothing is delivered twice", async () => {
  await using tasks = await Tasks.create();
  const ids = Array.from({ length: 40 }, (_, index) => `t${index}`);
  await tasks.give(ids.map((id) => ({ id, does: "wait" })));
  const server = await tasks.start();
  await server.until(async () => (await tasks.ended()).length > 0, "a first task to be done");
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  const started = await tasks.started();
  assert(started.length < ids.length, "the load was gone before the signal came");
  assertEquals((await tasks.ended()).sort(), started.sort());
  // A second and the slowest handler, and room for a machine that does other things too: the deadline is at
  // ten.
  assert(await took(server, "drained") < 5000, await server.log());

  assertEquals(await tasks.once(), 0);
  assertEquals((await tasks.started()).sort(), ids.toSorted());
});

Deno.test("F4: a handler that ignores its signal is cut a second after the deadline: exit 4, the attempt not counted", async () => {
  await using tasks = await Tasks.create("[server]\ndrain_timeout_seconds = 1");
  const server = await tasks.start();
  await tasks.give([{ id: "deaf", does: "ignore" }]);
  await server.until(async () => (await tasks.started()).length > 0, "the task to be started");
  assertEquals(await server.end("SIGTERM"), 4, await server.log());
  const [drained] = await logged(server, "engine.drained");
  assertEquals(drained?.["cut"], 1);
  const handlers = await took(server, "handlers_drained");
  assert(handlers >= 1990 && handlers < 10_000, `the handlers were given ${handlers} ms`);

  // Redelivered at once to the next server, where it has all of its three attempts.
  assertEquals(await tasks.once(), 0);
  assertEquals(await tasks.started(), ["deaf", "deaf", "deaf", "deaf"]);
  assertEquals(await tasks.deadLetters(), [{ error_message: "deaf fails this time", retry_count: 3 }]);
});

Deno.test("F5: a second SIGTERM cuts the drain at once: exit 4, and acknowledgements already earned are kept", async () => {
  await using tasks = await Tasks.create("[server]\ndrain_timeout_seconds = 600");
  const server = await tasks.start();
  await tasks.give([{ id: "deaf", does: "ignore" }, { id: "a", does: "wait" }, { id: "b", does: "nothing" }]);
  await server.until(async () => (await tasks.started()).length === 3, "the tasks to be started");
  server.child.kill("SIGTERM");
  await server.until(async () => (await server.probe("/readyz")).status === 503, "readiness to say 503");
  await server.until(async () => (await tasks.ended()).length === 2, "the others to be done");
  const { body } = await server.probe("/readyz");
  assertEquals(body, { status: "unavailable", checks: { shutting_down: true } });
  assertEquals((await server.probe("/livez")).status, 200);
  assertEquals(await server.end("SIGTERM"), 4, await server.log());
  assert(await took(server, "drained") < 60_000);

  assertEquals(await tasks.once(), 0);
  assertEquals((await tasks.started()).filter((id) => id !== "deaf").sort(), ["a", "b"]);
});

Deno.test("F5: a second SIGTERM that cuts nothing is exit 0", async () => {
  await using tasks = await Tasks.create("[server]\ndrain_timeout_seconds = 600");
  const server = await tasks.start();
  await tasks.give([{ id: "a", does: "heed" }]);
  await server.until(async () => (await tasks.started()).length > 0, "the task to be started");
  server.child.kill("SIGTERM");
  await server.until(async () => (await server.probe("/readyz")).status === 503, "readiness to say 503");
  assertEquals(await server.end("SIGTERM"), 0, await server.log());

  assertEquals(await tasks.once(), 0);
  assertEquals([await tasks.started(), await tasks.ended()], [["a"], ["a"]]);
});

for (const signal of ["SIGINT", "SIGHUP"] as const) {
  Deno.test(`${signal} drains as SIGTERM does`, async () => {
    await using tasks = await Tasks.create();
    const server = await tasks.start();
    await tasks.give([{ id: "a", does: "wait" }]);
    await server.until(async () => (await tasks.started()).length > 0, "the task to be started");
    assertEquals(await server.end(signal), 0, await server.log());
    assertEquals(await tasks.ended(), ["a"]);
    const [line] = await logged(server, "engine.shutting_down");
    assertEquals(line?.["signal"], signal);
  });
}

Deno.test("an error that a handler lets go of when it is cut leaves the exit code at 4", async () => {
  await using tasks = await Tasks.create("[server]\ndrain_timeout_seconds = 0");
  const server = await tasks.start();
  await tasks.give([{ id: "a", does: "drop" }]);
  await server.until(async () => (await tasks.started()).length > 0, "the task to be started");
  assertEquals(await server.end("SIGTERM"), 4, await server.log());
  const strays = await logged(server, "engine.stray_error_after_cut");
  assertEquals(strays.map(({ error }) => error), ["dropped at the stop"]);
});
