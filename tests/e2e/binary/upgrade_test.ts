/** An executable that is replaced under a running server: what the workers are started from then. */
import { assert, assertEquals } from "@std/assert";
import { Installation } from "../server.ts";
import { binary } from "./binary.ts";

const named = (log: string, event: string) =>
  log.split("\n").filter((line) => line.includes(`"${event}"`)).length;

Deno.test("after an upgrade in place a reload runs the new file, and a worker that crashes is started again", async () => {
  const folder = await Deno.makeTempDir({ prefix: "protean-upgrade-" });
  const program = `${folder}/protean-server`;
  const put = async (at: string) => {
    await Deno.copyFile(binary(), at);
    await Deno.chmod(at, 0o755);
  };
  try {
    await put(program);
    await using installation = await Installation.create("", { program: [program] });
    const server = await installation.start(["--workers=2"]);
    await put(`${program}.new`);
    await Deno.rename(`${program}.new`, program);
    const workers = async (): Promise<number[]> => {
      const { body } = await server.probe("/readyz");
      const { workers } = body["checks"] as { workers: Record<string, { pid?: number }> };
      return Object.values(workers).map(({ pid = 0 }) => pid);
    };
    const [first = 0] = await workers();
    Deno.kill(first, "SIGKILL");
    await server.until(
      async () => named(await server.log(), "supervisor.worker_started") === 3,
      "a new worker",
    );
    await server.ready();
    server.child.kill("SIGUSR2");
    await server.until(async () => named(await server.log(), "supervisor.roll_ended") === 1, "the reload");
    for (const pid of await workers()) assertEquals(Deno.readLinkSync(`/proc/${pid}/exe`), program);
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
    assert(named(await server.log(), "supervisor.worker_crashed") === 1, await server.log());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
