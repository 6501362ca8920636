/**
 * A real PgBouncer before a PostgreSQL server of the tests: its own free port, its own temporary folder.
 *
 * @module
 */
import { cameUp } from "./came_up.ts";
import { freePort } from "./free_port.ts";
import type { PostgresServer } from "./postgres_server.ts";

/** How long it may take to listen. */
const START_TIMEOUT_MS = 10_000;

/** True where PgBouncer can be started. In CI its absence is an error. */
export const pgbouncerAvailable: boolean = detect();

/** Registers a test that needs PgBouncer; ignored on a machine without one, except in CI. */
export function pgbouncerTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: !pgbouncerAvailable, fn: run });
}

/** For how long it lends a connection. */
export type PoolMode = "session" | "transaction" | "statement";

export class PgBouncer implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly mode: PoolMode,
    private readonly folder: string,
    private readonly process: Deno.ChildProcess,
  ) {}

  /**
   * Starts one that lends `poolSize` connections of `server` by session, transaction or statement, to at most
   * `maxClients` at once.
   */
  static async start(
    server: PostgresServer,
    mode: PoolMode,
    poolSize = 10,
    maxClients = 500,
  ): Promise<PgBouncer> {
    const folder = await Deno.makeTempDir({ prefix: "protean-pgbouncer-" });
    const port = freePort();
    await Deno.writeTextFile(
      `${folder}/pgbouncer.ini`,
      [
        "[databases]",
        // "auth_type = any" logs everybody in as the user named here.
        `* = host=127.0.0.1 port=${server.port} user=postgres`,
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        `listen_port = ${port}`,
        "unix_socket_dir =",
        "auth_type = any",
        `auth_file = ${folder}/users.txt`,
        `pool_mode = ${mode}`,
        `default_pool_size = ${poolSize}`,
        `max_client_conn = ${maxClients}`,
        "ignore_startup_parameters = extra_float_digits",
        "",
      ].join("\n"),
    );
    await Deno.writeTextFile(`${folder}/users.txt`, '"postgres" ""\n');
    await Deno.chmod(folder, 0o755);
    const root = Deno.uid() === 0;
    const process = new Deno.Command(root ? "setpriv" : program(), {
      args: [
        ...root ? ["--reuid=postgres", "--regid=postgres", "--init-groups", program()] : [],
        `${folder}/pgbouncer.ini`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const isUp = await cameUp(process, () => listens(port), { timeoutMs: START_TIMEOUT_MS });
    if (isUp) return new PgBouncer(port, mode, folder, process);
    await Deno.remove(folder, { recursive: true });
    throw new Error(`PgBouncer on port ${port} did not start.`);
  }

  uri(database = "postgres"): string {
    return `postgresql://postgres@127.0.0.1:${this.port}/${database}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
    await this.process.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}

function program(): string {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin"];
  return folders.map((folder) => `${folder}/pgbouncer`).find(isFile) ?? "pgbouncer";
}

function detect(): boolean {
  if (isFile(program())) return true;
  if (Deno.env.get("CI") !== "1") return false;
  throw new Error("These tests need pgbouncer on the PATH: install it (apt-get install pgbouncer).");
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
