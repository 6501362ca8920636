/** The probes of a server whose own event loop cannot answer them (HLT-1), and its port (S31). */
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { logged, Tasks } from "./tasks.ts";

Deno.test("a blocked event loop is told by /livez and /readyz, from outside it, after blocked_after_seconds", async () => {
  await using tasks = await Tasks.create("blocked_after_seconds = 1");
  const server = await tasks.start();
  assertEquals(await server.probe("/livez"), {
    status: 200,
    body: { status: "ok", checks: { event_loop: "responsive" } },
  });
  await tasks.give([{ id: "s", does: "spin" }]);
  await server.until(async () => (await server.probe("/livez")).status === 503, "liveness to say 503");
  const blocked = { status: "unavailable", checks: { event_loop: "blocked" } };
  for (const path of ["/livez", "/healthz", "/readyz"]) {
    assertEquals(await server.probe(path), { status: 503, body: blocked });
  }
  // Nor does it hear a signal; whoever insists is heard all the same.
  server.child.kill("SIGTERM");
  let sent = performance.now();
  await server.until(() => {
    // What comes within 250 ms of the first counts as the same signal.
    if (!server.ended && performance.now() - sent > 300) {
      server.child.kill("SIGTERM");
      sent = performance.now();
    }
    return server.ended !== undefined;
  }, "the process to end");
  assertEquals((await server.child.status).signal, "SIGKILL");
  await server.logged;
  assertStringIncludes(await server.log(), "The event loop is blocked and hears no second stop signal");
});

Deno.test("a port that is taken is an error in the log, and the server works on; it is taken once it is free", async () => {
  await using tasks = await Tasks.create();
  const { port } = tasks.installation;
  const other = Deno.listen({ hostname: "127.0.0.1", port });
  const server = await tasks.installation.launch();
  await tasks.give([{ id: "a", does: "nothing" }]);
  await server.until(async () => (await tasks.ended()).length === 1, "the task to be done");
  other.close();
  await server.ready();
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  const [line] = await logged(server, "health.port_unavailable");
  assertEquals([line?.["level"], line?.["port"]], ["error", port]);
});

for (const args of [[], ["--workers=2"]]) {
  const how = args[0] ?? "alone";
  Deno.test(`with --require-dependencies a port that is taken is exit 2 (${how})`, async () => {
    await using tasks = await Tasks.create();
    using _other = Deno.listen({ hostname: "127.0.0.1", port: tasks.installation.port });
    const server = await tasks.installation.launch(["--require-dependencies", ...args]);
    await server.finished();
    assertEquals((await server.child.status).code, 2, await server.log());
  });

  Deno.test(`with port_auto_increment a taken port leads to the next, which the log names (${how})`, async () => {
    const port = freePort();
    await using tasks = await Tasks.create("port_auto_increment = true");
    using _other = Deno.listen({ hostname: "127.0.0.1", port });
    const server = await tasks.installation.launch(args, port);
    let bound = 0;
    await server.until(async () => {
      const line = (await server.log()).split("\n").find((line) => line.includes('"health.listening"'));
      bound = line ? JSON.parse(line).port : 0;
      return bound > 0;
    }, "the port to be named");
    assertGreater(bound, port);
    const answer = await fetch(`http://127.0.0.1:${bound}/livez`);
    assertEquals(answer.status, 200);
    await answer.body?.cancel();
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
  });

  Deno.test(`signals during the start end it with 0 (${how})`, async () => {
    await using tasks = await Tasks.create();
    for (const wait of [0, 50, 100, 150, 250, 400]) {
      const server = await tasks.installation.launch(args);
      // Part of the schedule: at whatever point of the start that is.
      await new Promise((resolve) => setTimeout(resolve, 150 + wait));
      if (server.ended) throw new Error(await server.log());
      const code = await server.end("SIGTERM");
      // Before the first line of the program the system's own answer to the signal is in force.
      assert(code === 0 || (code === 143 && await server.log() === ""), `${code} ${await server.log()}`);
    }
  });
}
