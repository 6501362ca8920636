/**
 * What the process says and ends with when it is not all well (design 9): 0, 1, 2 and 4; the drain's own are
 * in `drain_test.ts`.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { sentence } from "./run.ts";
import { Installation } from "./server.ts";
import { logged, Tasks } from "./tasks.ts";

const server = ["server", "--log-format=json"];

Deno.test("an unknown domain is exit 2, and the sentence names what there is", async () => {
  await using installation = await Installation.create();
  const ended = await installation.run([...server, "--domain=my_domian"]);
  assertEquals(ended.code, 2, ended.err);
  assertStringIncludes(sentence(ended), "Did you mean 'my_domain'?");
});

Deno.test("an unknown key is exit 2 with file, line and nearest key, its code in the envelope of --json", async () => {
  await using installation = await Installation.create("[server]\ndrain_timeouts_seconds = 5\n");
  const ended = await installation.command(server);
  assertEquals(ended.code, 2, ended.err);
  assertStringIncludes(sentence(ended), "domain.toml:4: ");
  assertStringIncludes(ended.err, "drain_timeout_seconds");
  const listed = await installation.command(["dlq", "list", "--json"]);
  assertEquals(listed.code, 2, listed.err);
  const { status, diagnostics } = JSON.parse(listed.out);
  assertEquals([status, diagnostics[0].code, diagnostics[0].line], ["error", "CONFIG_UNKNOWN_KEY", 4]);
});

Deno.test("a health port that is taken is exit 2 with --require-dependencies", async () => {
  await using installation = await Installation.create();
  using _other = Deno.listen({ hostname: "127.0.0.1", port: installation.port });
  const ended = await installation.command([...server, "--require-dependencies"]);
  assertEquals(ended.code, 2, ended.err);
  assertStringIncludes(sentence(ended), `127.0.0.1:${installation.port}`);
});

Deno.test("a health port that is taken is an error in the log otherwise, and taken over once it is free", async () => {
  await using installation = await Installation.create();
  const other = Deno.listen({ hostname: "127.0.0.1", port: installation.port });
  const running = await installation.launch();
  await running.until(async () => (await running.log()).includes("engine.started"), "the server to run");
  assertStringIncludes(await running.log(), "health.port_unavailable");
  other.close();
  await running.ready();
  assertEquals(await running.end("SIGTERM"), 0, await running.log());
});

Deno.test("a Redis that does not answer is exit 2 with --require-dependencies, and waited for without", async () => {
  const url = `redis://127.0.0.1:${freePort()}/0`;
  await using installation = await Installation.create(
    `[brokers.default]\nprovider = "redis"\nURI = "${url}"\n`,
  );
  const ended = await installation.command([...server, "--require-dependencies"]);
  assertEquals(ended.code, 2, ended.err);
  assertStringIncludes(sentence(ended), `broker 'default': Redis at ${url}`);
  const waiting = await installation.launch();
  await waiting.until(async () => (await waiting.probe("/readyz")).status === 503, "readiness to say 503");
  assertEquals((await waiting.probe("/livez")).status, 200);
  assertEquals(await waiting.end("SIGTERM"), 0, await waiting.log());
});

for (
  const [what, damage] of [
    ["is not a SQLite database", (bytes: Uint8Array) => bytes.fill(120)],
    // The first page, which holds the schema, lies behind a sound header.
    ["is damaged", (bytes: Uint8Array) => bytes.fill(120, 100, 4096)],
  ] as const
) {
  Deno.test(`a database file that ${what} is exit 2 and one sentence`, async () => {
    await using installation = await Installation.create();
    const created = await installation.command(["db", "setup"]);
    assertEquals(created.code, 0, created.err);
    const bytes = await Deno.readFile(installation.database);
    damage(bytes);
    await Deno.writeFile(installation.database, bytes);
    const ended = await installation.command(server);
    assertEquals(ended.code, 2, ended.err);
    assertStringIncludes(sentence(ended), `${installation.database} ${what}: restore it from a backup`);
  });
}

Deno.test("findings are exit 1: refused lines of send, the others sent", async () => {
  await using tasks = await Tasks.create();
  const input = '{"id":"a","does":"nothing"}\n{ no JSON\n';
  const sent = await tasks.installation.command(["send", "TaskGiven", "-"], { input });
  assertEquals(sent.code, 1, sent.err);
  assertStringIncludes(sent.err, "line 2: ");
  assertEquals(await tasks.once(), 0);
  assertEquals(await tasks.ended(), ["a"]);
});

Deno.test("an error that a handler let go of drains the process with exit 1, and the log says which", async () => {
  await using tasks = await Tasks.create();
  const running = await tasks.start();
  await tasks.give([{ id: "slow", does: "wait" }, { id: "careless", does: "forget" }]);
  await running.finished();
  assertEquals((await running.child.status).code, 1, await running.log());
  assertEquals((await logged(running, "engine.failed")).map(({ error }) => error), [
    "careless was forgotten",
  ]);
  const [stray] = await logged(running, "engine.stray_error");
  assertStringIncludes(String(stray?.["stack"]), "tasks.js");
  assertEquals((await logged(running, "engine.drained")).map(({ cut }) => cut), [0]);
  assertEquals((await tasks.ended()).sort(), ["careless", "slow"]);
});

Deno.test("SIGTERM while the domain is still loading ends the server at once with exit 0", async () => {
  await using installation = await Installation.create("", { domain: "./slow.js" });
  await Deno.writeTextFile(
    `${installation.folder}/slow.js`,
    `await Deno.writeTextFile(${JSON.stringify(`${installation.folder}/loading`)}, "");
     setInterval(() => {}, 1000);
     await new Promise(() => {});`,
  );
  const running = await installation.launch();
  await running.until(async () => (await Deno.stat(`${installation.folder}/loading`)).isFile, "it to load");
  assertEquals(await running.end("SIGTERM"), 0, await running.log());
});
