/**
 * A log that nobody reads, from outside: the server works, answers its probes and stops all the same, and
 * says what it had to leave out.
 */
import { assert, assertEquals } from "@std/assert";
import { until } from "../support/until.ts";
import { Installation, program } from "./server.ts";

const JOBS = 20;

/** A server whose stderr, or stdout, is a pipe that is read when the test reads it. */
class Unheard implements AsyncDisposable {
  readonly #unread: ReadableStream;

  private constructor(
    readonly installation: Installation,
    readonly child: Deno.ChildProcess,
    unread: "stderr" | "stdout",
  ) {
    this.#unread = child[unread];
  }

  static async start(args: readonly string[] = [], unread: "stderr" | "stdout" = "stderr"): Promise<Unheard> {
    const domain = new URL("domains/chatty.js", import.meta.url).pathname;
    const installation = await Installation.create("", { domain });
    const [command = "", ...before] = program();
    const child = new Deno.Command(command, {
      args: [
        ...before,
        "server",
        `--domain=${domain}`,
        `--config=${installation.config}`,
        "--log-format=json",
        ...args,
      ],
      cwd: installation.folder,
      env: { NO_COLOR: "1", ...(unread === "stdout" && { CHATTY_PRINTS: "1" }) },
      ...{ stdin: "null", stdout: "null", stderr: "null", [unread]: "piped" },
    }).spawn();
    return new Unheard(installation, child, unread);
  }

  /** Gives it more to say than it keeps, and waits until all of it is done. */
  async fill(): Promise<void> {
    const input = Array.from({ length: JOBS }, (_, id) => JSON.stringify({ id: `j${id}` })).join("\n");
    const sent = await this.installation.command(["send", "JobGiven", "-"], { input });
    assertEquals(sent.code, 0, sent.err);
    await until(
      async () =>
        (await Deno.readTextFile(`${this.installation.folder}/handled.log`)).split("\n").length > JOBS,
      "every job to be handled though nobody reads the log",
    );
  }

  async probe(path: string): Promise<number> {
    const url = `http://127.0.0.1:${this.installation.port}${path}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch { /* It has ended already. */ }
    await this.child.status;
    await this.#unread.cancel().catch(() => {});
    await this.installation[Symbol.asyncDispose]();
  }
}

Deno.test("a log pipe that is full holds up no work, no probe and no stop", async () => {
  await using server = await Unheard.start();
  await server.fill();
  for (const path of ["/livez", "/readyz"]) assertEquals(await server.probe(path), 200, path);
  server.child.kill("SIGTERM");
  assertEquals((await server.child.status).code, 0);
});

Deno.test("what a domain prints in workers and nobody reads holds up no work, no probe and no stop", async () => {
  await using server = await Unheard.start(["--workers=2"], "stdout");
  await server.fill();
  for (const path of ["/livez", "/readyz"]) assertEquals(await server.probe(path), 200, path);
  server.child.kill("SIGTERM");
  assertEquals((await server.child.status).code, 0);
});

Deno.test("once a full log pipe is read again, the lines that were dropped are counted in it", async () => {
  await using server = await Unheard.start();
  await server.fill();
  let text = "";
  let stopped = false;
  for await (const piece of server.child.stderr.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (stopped || !text.includes("log.lines_dropped")) continue;
    stopped = true;
    server.child.kill("SIGTERM");
  }
  assertEquals((await server.child.status).code, 0);
  const records = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const dropped = records.filter(({ event }) => event === "log.lines_dropped");
  const written = records.filter(({ event }) => event === "chatty.line");
  assert(written.length > 0 && written.length < JOBS * 100, `${written.length} lines were written`);
  const count = dropped.reduce((sum, { lines }) => sum + lines, 0);
  // Every line is either there or counted; others than the jobs' may have been dropped as well.
  assert(
    count >= JOBS * 100 - written.length,
    `${count} are said to be dropped, ${written.length} are there`,
  );
  assertEquals(records.at(-1)?.event, "engine.stopped");
});
