/** What systemd is told, over a real notify socket (`Type=notify`, `WatchdogSec`). */
import { assert, assertEquals } from "@std/assert";
import { until } from "../support/until.ts";
import { Tasks } from "./tasks.ts";

/** A socket as systemd has it. Python's, for Deno's own receiving is not what is tested. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

class NotifyRig implements AsyncDisposable {
  readonly heard: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;

  constructor(readonly path: string) {
    this.#child = new Deno.Command("python3", { args: ["-c", RECEIVER, path], stdout: "piped" }).spawn();
    this.#read = this.#listen();
  }

  async #listen(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.heard.push(...lines);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.status;
    await this.#read;
  }
}

for (const args of [[], ["--workers=2"]]) {
  Deno.test(`systemd hears READY, STATUS, WATCHDOG while the work goes on, and STOPPING (${args[0] ?? "alone"})`, async () => {
    await using tasks = await Tasks.create("blocked_after_seconds = 1");
    const { installation } = tasks;
    await using rig = new NotifyRig(`${installation.folder}/notify.sock`);
    await until(() => rig.heard.includes("bound"), "the socket");
    const env = { NOTIFY_SOCKET: rig.path, WATCHDOG_USEC: "600000", TMPDIR: installation.folder };
    const server = await installation.launch(args, installation.port, env);
    const told = (what: string) => rig.heard.filter((line) => line.includes(what)).length;
    await server.until(() => told("STATUS=ready") > 0 && told("WATCHDOG=1") > 2, "READY and WATCHDOG");
    assertEquals(told("READY=1"), 1);
    await tasks.give([{ id: "s", does: "spin" }]);
    await server.until(async () => (await server.probe("/livez")).status === 503, "liveness to say 503");
    const watchdogs = told("WATCHDOG=1");
    await server.until(async () => (await server.probe("/livez")).status === 503, "some time to pass");
    assertEquals(told("WATCHDOG=1"), watchdogs, "a server that does no work was not left to the watchdog");
    if (args.length > 0) {
      server.child.kill("SIGTERM");
      await server.until(() => told("STOPPING=1") === 1, "STOPPING");
      assertEquals(await server.end("SIGTERM"), 1);
    } else server.child.kill("SIGKILL");
  });
}

Deno.test("a drain is told at once, and nothing of the socket is left", async () => {
  await using tasks = await Tasks.create();
  const { installation } = tasks;
  await using rig = new NotifyRig(`${installation.folder}/notify.sock`);
  await until(() => rig.heard.includes("bound"), "the socket");
  const env = { NOTIFY_SOCKET: rig.path, TMPDIR: installation.folder };
  const server = await installation.launch([], installation.port, env);
  await server.until(() => rig.heard.some((line) => line.includes("READY=1")), "READY");
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  await until(() => rig.heard.some((line) => line.startsWith("STOPPING=1")), "STOPPING");
  assert(!rig.heard.some((line) => line.includes("WATCHDOG")));
  const left = [...Deno.readDirSync(installation.folder)].filter(({ name }) =>
    name.startsWith("protean-notify")
  );
  assertEquals(left, []);
});

Deno.test("a notify socket that is not there costs a warning, and nothing else", async () => {
  await using tasks = await Tasks.create();
  const { installation } = tasks;
  for (const socket of [`${installation.folder}/nobody.sock`, "@abstract"]) {
    const server = await installation.launch([], installation.port, { NOTIFY_SOCKET: socket });
    await server.ready();
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
    assertEquals((await server.log()).split('"systemd.not_told"').length, 2, await server.log());
  }
});
