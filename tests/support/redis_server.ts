/**
 * A real redis-server 7 for one test: its own free port, its own temporary folder, gone when the test ends.
 *
 * @module
 */
import { cameUp } from "./came_up.ts";
import { freePort } from "./free_port.ts";
import { PLANTED_PASSWORD, watchEveryTest } from "./standing_check.ts";

export interface RedisServerOptions {
  /** Keeps the data across `restart()` (every write is synced). @default false */
  readonly appendOnly?: boolean;
  /** Folder with `ca.pem`, `cert.pem` and `key.pem`: also listens on `tlsPort`. */
  readonly tls?: string;
  /** Further arguments, such as `["--requirepass", "secret"]`. */
  readonly args?: readonly string[];
}

watchEveryTest();

/** How long a started server may take to listen. */
const START_TIMEOUT_MS = 10_000;
/** How often another port is tried when somebody else took the first. */
const START_ATTEMPTS = 5;

/**
 * True where `redis-server` 7 or later is on the PATH. In CI its absence is an error: a suite that quietly
 * skips itself proves nothing.
 */
export const redisAvailable: boolean = detect();

/** Registers a test that needs a Redis server; ignored on a machine without one, except in CI. */
export function redisTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: !redisAvailable, fn: run });
}

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #options: RedisServerOptions;
  #process: Deno.ChildProcess;

  private constructor(port: number, folder: string, options: RedisServerOptions, process: Deno.ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#options = options;
    this.#process = process;
  }

  /** Starts a server and waits until it listens. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await Deno.makeTempDir({ prefix: "protean-redis-" });
    for (let attempt = 1;; attempt++) {
      const port = freePort();
      try {
        return new RedisServer(port, folder, options, await launch(port, folder, options));
      } catch (error) {
        if (attempt < START_ATTEMPTS) continue;
        await Deno.remove(folder, { recursive: true });
        throw error;
      }
    }
  }

  /** Where it speaks TLS, with the option `tls`. */
  get tlsPort(): number {
    return tlsPortOf(this.port);
  }

  /**
   * `redis://default:…@127.0.0.1:<port>/0`: the server wants no password and takes any, here the one that the
   * standing check looks for.
   */
  get uri(): string {
    return `redis://default:${PLANTED_PASSWORD}@127.0.0.1:${this.port}/0`;
  }

  /** The same, as it may be shown to anybody. */
  get shown(): string {
    return `redis://default:***@127.0.0.1:${this.port}/0`;
  }

  /** Stops it the polite way; the data stays for `restart()` if it is append-only. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Starts it again on the same port and folder, after `stop()` or `kill()`. */
  async restart(): Promise<void> {
    this.#process = await launch(this.port, this.#folder, this.#options);
  }

  /** SIGSTOP: connections stay open, nothing answers. */
  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  /** SIGCONT. */
  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #end(signal: Deno.Signal): Promise<void> {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
    await this.#process.status;
  }
}

function detect(): boolean {
  const found = version();
  if (found !== undefined && found >= 7) return true;
  if (Deno.env.get("CI") !== "1") return false;
  throw new Error(
    `These tests need redis-server 7 or later on the PATH, found ${
      found ?? "none"
    }: install it (apt-get install redis-server).`,
  );
}

function version(): number | undefined {
  try {
    const { stdout } = new Deno.Command("redis-server", { args: ["--version"] }).outputSync();
    const major = /v=(\d+)\./.exec(new TextDecoder().decode(stdout))?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}

/** The next port, likely to be free as well; a server that finds it taken tries other ones. */
function tlsPortOf(port: number): number {
  return port === 65_535 ? port - 1 : port + 1;
}

async function launch(port: number, folder: string, options: RedisServerOptions): Promise<Deno.ChildProcess> {
  const process = new Deno.Command("redis-server", {
    args: [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--logfile", "server.log"],
      ...["--save", "", "--appendonly", options.appendOnly ? "yes" : "no", "--appendfsync", "always"],
      ...options.tls === undefined ? [] : [
        ...["--tls-port", String(tlsPortOf(port)), "--tls-auth-clients", "no"],
        ...["--tls-ca-cert-file", `${options.tls}/ca.pem`, "--tls-cert-file", `${options.tls}/cert.pem`],
        ...["--tls-key-file", `${options.tls}/key.pem`],
      ],
      ...options.args ?? [],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  if (await cameUp(process, () => answers(port), { timeoutMs: START_TIMEOUT_MS })) return process;
  const log = await Deno.readTextFile(`${folder}/server.log`).catch(() => "");
  throw new Error(`redis-server on port ${port} did not start: ${log.split("\n").slice(-5).join(" ")}`);
}

/** Waits for an answer that is not `-LOADING`; with a password set, `-NOAUTH` will do. */
async function answers(port: number): Promise<boolean> {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("PING\r\n"));
    const reply = new Uint8Array(64);
    const length = await connection.read(reply);
    return /^(\+PONG|-NOAUTH)/.test(new TextDecoder().decode(reply.subarray(0, length ?? 0)));
  } catch {
    return false;
  }
}
