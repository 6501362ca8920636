/**
 * A real PostgreSQL for one test file: its own free port, its own temporary folder, gone when the test ends.
 *
 * @module
 */
import { cameUp } from "./came_up.ts";
import { freePort } from "./free_port.ts";
import { PLANTED_PASSWORD, watchEveryTest } from "./standing_check.ts";

export interface PostgresServerOptions {
  /** Settings of `postgresql.conf`, such as `{ max_connections: "20" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of `pg_hba.conf`; by default everybody is trusted. */
  readonly hba?: readonly string[];
  /** Folder with `cert.pem` and `key.pem`: it speaks TLS to whoever asks for it. */
  readonly tls?: string;
}

watchEveryTest();

/** How long a started server may take to accept connections. */
const START_TIMEOUT_MS = 20_000;
/** How often another port is tried when somebody else took the first. */
const START_ATTEMPTS = 5;

/** How a server stops: `fast` undoes what is under way, `immediate` is as a crash. */
const STOP = { fast: "SIGINT", immediate: "SIGQUIT" } as const;

/**
 * The folder with `initdb` and `postgres`, or undefined. PostgreSQL refuses to run as root, so another user
 * is needed there.
 */
const binaries: string | undefined = detect();

/**
 * True where a PostgreSQL server can be started. In CI its absence is an error: a suite that quietly skips
 * itself proves nothing.
 */
export const postgresAvailable: boolean = binaries !== undefined;

/** Registers a test that needs a PostgreSQL server; ignored on a machine without one, except in CI. */
export function postgresTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: !postgresAvailable, fn: run });
}

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly #options: PostgresServerOptions;
  #process: Deno.ChildProcess;

  private constructor(
    port: number,
    folder: string,
    options: PostgresServerOptions,
    process: Deno.ChildProcess,
  ) {
    this.port = port;
    this.folder = folder;
    this.#options = options;
    this.#process = process;
  }

  /** Creates a cluster, starts it and waits until it accepts connections. Superuser is `postgres`. */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const folder = await Deno.makeTempDir({ prefix: "protean-postgres-" });
    try {
      if (isRoot()) await output("chown", ["postgres", folder]);
      await asServer("initdb", [
        ...["-D", `${folder}/data`, "-U", "postgres", "-A", "trust", "--no-sync"],
        ...["-E", "UTF8", "--locale=C"],
      ]);
      if (options.hba) await Deno.writeTextFile(`${folder}/data/pg_hba.conf`, options.hba.join("\n") + "\n");
      if (options.tls !== undefined) await installCertificate(options.tls, `${folder}/data`);
      for (let attempt = 1;; attempt++) {
        const port = freePort();
        try {
          return new PostgresServer(port, folder, options, await launch(port, folder, options));
        } catch (error) {
          if (attempt >= START_ATTEMPTS) throw error;
        }
      }
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** A hot standby of `primary`, as it is now and as it goes on; it only reads until `promote()`. */
  static async standby(primary: PostgresServer): Promise<PostgresServer> {
    const folder = await Deno.makeTempDir({ prefix: "protean-postgres-" });
    try {
      if (isRoot()) await output("chown", ["postgres", folder]);
      await asServer("pg_basebackup", [
        ...["-D", `${folder}/data`, "-h", "127.0.0.1", "-p", String(primary.port), "-U", "postgres"],
        ...["-X", "stream", "-c", "fast", "-R", "--no-sync"],
      ]);
      const port = freePort();
      return new PostgresServer(port, folder, primary.#options, await launch(port, folder, primary.#options));
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** A standby becomes a primary; resolves when it takes writes. */
  async promote(): Promise<void> {
    await this.sql("select pg_promote(true, 60)");
  }

  /**
   * `postgresql://postgres:…@127.0.0.1:<port>/postgres`, or with another database, user or query. Who is
   * trusted needs no password, and has the one that the standing check looks for.
   */
  uri(parts: { readonly database?: string; readonly user?: string; readonly query?: string } = {}): string {
    const { database = "postgres", user = "postgres", query = "" } = parts;
    return `postgresql://${user}:${PLANTED_PASSWORD}@127.0.0.1:${this.port}/${database}${
      query && `?${query}`
    }`;
  }

  /** Runs statements in the database `postgres`; see `PostgresDatabase.sql`. */
  sql(...statements: readonly string[]): Promise<readonly string[]> {
    return new PostgresDatabase(this, "postgres").sql(...statements);
  }

  /** A new database, for a test that leaves the server alone. */
  async createDatabase(): Promise<PostgresDatabase> {
    const name = `test_${crypto.randomUUID().slice(0, 8)}`;
    await this.sql(`create database ${name}`);
    return new PostgresDatabase(this, name);
  }

  /** The data stay for `restart()`. */
  async stop(how: keyof typeof STOP): Promise<void> {
    try {
      this.#process.kill(STOP[how]);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
    await this.#process.status;
  }

  /** Starts it again on the same port and folder, after `stop()`; `settings` are added for this time. */
  async restart(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const options = { ...this.#options, settings: { ...this.#options.settings, ...settings } };
    this.#process = await launch(this.port, this.folder, options);
  }

  /** SIGSTOP to every process of it: connections stay open, nothing answers. */
  async freeze(): Promise<void> {
    await this.#signalAll("SIGSTOP");
  }

  /** SIGCONT. */
  async thaw(): Promise<void> {
    await this.#signalAll("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("immediate");
    await Deno.remove(this.folder, { recursive: true });
  }

  async #signalAll(signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    const children = await output("ps", ["-o", "pid=", "--ppid", String(this.#process.pid)]);
    for (const pid of [this.#process.pid, ...children.split("\n").map(Number)]) {
      try {
        if (pid > 0) Deno.kill(pid, signal);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // Gone since it was listed.
      }
    }
  }
}

/** One database of a server. */
export class PostgresDatabase {
  constructor(readonly server: PostgresServer, readonly name: string) {}

  uri(parts: { readonly user?: string; readonly query?: string } = {}): string {
    return this.server.uri({ ...parts, database: this.name });
  }

  /**
   * Runs statements as superuser, each by itself, beside whatever is under test; returns the rows as lines,
   * columns parted by `|`.
   */
  async sql(...statements: readonly string[]): Promise<readonly string[]> {
    const text = await output(`${binaries}/psql`, [
      ...["-h", "127.0.0.1", "-p", String(this.server.port), "-U", "postgres", "-d", this.name],
      ...["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
      ...statements.flatMap((statement) => ["-c", statement]),
    ]);
    return text.split("\n").filter((line) => line !== "");
  }
}

/**
 * One server for all tests of the file that calls this, started before the first of them and stopped after
 * the last. Returns the way to a database of one's own on it.
 */
export function sharedPostgres(options: PostgresServerOptions = {}): () => Promise<PostgresDatabase> {
  let server: PostgresServer | undefined;
  if (postgresAvailable) {
    Deno.test.beforeAll(async () => {
      server = await PostgresServer.start({ ...options, settings: { fsync: "off", ...options.settings } });
    });
    Deno.test.afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
    });
  }
  return () => {
    if (!server) throw new Error("The shared PostgreSQL server is not running.");
    return server.createDatabase();
  };
}

function detect(): string | undefined {
  const versions = [...entries("/usr/lib/postgresql")].sort((a, b) => Number(b) - Number(a));
  const folders = [
    ...(Deno.env.get("PATH") ?? "").split(":"),
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
  ];
  const found = folders.find((folder) =>
    ["initdb", "postgres", "psql", "pg_basebackup"].every((name) => isFile(`${folder}/${name}`))
  );
  const usable = found !== undefined && (!isRoot() || succeeds("id", ["postgres"]));
  if (usable) return found;
  if (Deno.env.get("CI") !== "1") return undefined;
  throw new Error(
    "These tests need PostgreSQL's initdb, postgres and psql on the PATH or in /usr/lib/postgresql, and as root a user " +
      "'postgres': install them (apt-get install postgresql).",
  );
}

async function launch(
  port: number,
  folder: string,
  options: PostgresServerOptions,
): Promise<Deno.ChildProcess> {
  const settings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    logging_collector: "off",
    log_destination: "stderr",
    ...(options.tls !== undefined && { ssl: "on" }),
    ...options.settings,
  };
  const [command, ...args] = serverCommand("postgres", [
    ...["-D", `${folder}/data`],
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
  const process = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const log = keepTail(process.stderr);
  const isUp = () => /ready to accept (read-only )?connections/.test(log.text());
  if (await cameUp(process, isUp, { timeoutMs: START_TIMEOUT_MS, signal: "SIGQUIT" })) return process;
  throw new Error(`PostgreSQL on port ${port} did not start: ${log.text()}`);
}

/** Under the names where PostgreSQL looks, for its own eyes. */
async function installCertificate(from: string, data: string): Promise<void> {
  const { uid, gid } = await Deno.stat(data);
  for (const [source, target] of [["cert.pem", "server.crt"], ["key.pem", "server.key"]]) {
    await Deno.copyFile(`${from}/${source}`, `${data}/${target}`);
    await Deno.chmod(`${data}/${target}`, 0o600);
    await Deno.chown(`${data}/${target}`, uid, gid);
  }
}

/** Reads everything, so that the server is never held up, and keeps the end of it. */
function keepTail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): { text(): string } {
  let tail = "";
  void (async () => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) tail = (tail + chunk).slice(-4000);
  })();
  return { text: () => tail };
}

function isRoot(): boolean {
  return Deno.uid() === 0;
}

/** Command and arguments that run a program of PostgreSQL as somebody whom it accepts. */
function serverCommand(program: string, args: readonly string[]): [string, ...string[]] {
  const path = `${binaries}/${program}`;
  if (!isRoot()) return [path, ...args];
  // `setpriv` becomes the program, so that signals reach it.
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", path, ...args];
}

async function asServer(program: string, args: readonly string[]): Promise<void> {
  const [command, ...rest] = serverCommand(program, args);
  await output(command, rest);
}

async function output(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd: "/" }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function succeeds(command: string, args: readonly string[]): boolean {
  try {
    return new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

function* entries(folder: string): Generator<string> {
  try {
    for (const { name } of Deno.readDirSync(folder)) yield name;
  } catch {
    // There is no such folder.
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
