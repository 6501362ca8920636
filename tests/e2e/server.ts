/**
 * Runs the program from outside, as a user does: from source, or the compiled executable that
 * `PROTEAN_BINARY` names.
 *
 * @module
 */
import { asError } from "../../lib/errors.ts";
import { freePort } from "../support/free_port.ts";
import {
  assertTellsNothing,
  type Output,
  outputsOf,
  PLANTED_CONFIG,
  withPlantedValue,
} from "../support/standing_check.ts";
import { until } from "../support/until.ts";

const root = new URL("../../", import.meta.url);
/** A probe that takes longer is not answered at all. */
const PROBE_MS = 5000;
/** Longest run of a command: what hangs is a failure of its test, and no end of all tests. */
const RUN_LIMIT_MS = 180_000;
const decoder = new TextDecoder();

/** The program and the arguments before its own. */
export function program(): readonly string[] {
  const binary = Deno.env.get("PROTEAN_BINARY");
  return binary ? [binary] : [Deno.execPath(), "run", "-A", new URL("main.ts", root).pathname];
}

export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface InstallationOptions {
  /** What `--domain` says. @default "my_domain" */
  readonly domain?: string;
  /** Further environment of every process. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is run, and the arguments before its own. @default `program()` */
  readonly program?: readonly string[];
  /**
   * No configuration is written or named: the executable's own is in force, and takes its port from
   * `HEALTH_PORT`.
   */
  readonly embedded?: boolean;
}

/** One data folder, one configuration, any number of processes over it. */
export class Installation {
  readonly #children: Deno.ChildProcess[] = [];
  readonly #logs: Promise<void>[] = [];
  readonly #said: Output[] = [];
  readonly #domain: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #program: readonly string[];
  readonly #named: readonly string[];

  private constructor(readonly folder: string, readonly port: number, options: InstallationOptions) {
    this.#domain = options.domain ?? "my_domain";
    this.#env = { NO_COLOR: "1", ...options.env };
    this.#program = options.program ?? program();
    this.#named = [`--domain=${this.#domain}`, ...(options.embedded ? [] : [`--config=${this.config}`])];
  }

  /** `extra` is appended to the configuration; sections must not repeat `[server.health]`. */
  static async create(extra = "", options: InstallationOptions = {}): Promise<Installation> {
    const folder = await Deno.makeTempDir({ prefix: "protean-e2e-" });
    const installation = new Installation(folder, freePort(), options);
    if (!options.embedded) {
      const health = `[server.health]\nport = "\${HEALTH_PORT|${installation.port}}"\n`;
      await Deno.writeTextFile(installation.config, `${health}${extra}\n${PLANTED_CONFIG}`);
    }
    return installation;
  }

  get config(): string {
    return `${this.folder}/domain.toml`;
  }

  get database(): string {
    return `${this.folder}/my_domain.db`;
  }

  /** Runs a command to its end. */
  async run(
    args: readonly string[],
    options: { input?: string; env?: Record<string, string> } = {},
  ): Promise<Finished> {
    const [command, ...before] = this.#program;
    const { args: given, input } = withPlantedValue({ args, input: options.input });
    const child = new Deno.Command(command ?? "", {
      args: [...before, ...given],
      cwd: this.folder,
      env: { ...this.#env, ...options.env },
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (input !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(input));
      await writer.close();
    }
    let isOver = false;
    const limit = setTimeout(() => {
      isOver = true;
      child.kill("SIGKILL");
    }, RUN_LIMIT_MS);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(limit);
    if (isOver) throw new Error(`'${args.join(" ")}' had not ended after ${RUN_LIMIT_MS} ms.`);
    const finished = { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
    this.#said.push(...outputsOf(args, finished));
    return finished;
  }

  /** Runs a command of the domain with this installation's configuration. */
  command(
    verb: readonly string[],
    options?: { input?: string; env?: Record<string, string> },
  ): Promise<Finished> {
    return this.run([...verb, ...this.#named], options);
  }

  /**
   * Starts a server and waits until it is ready. `port`: of its probes, where another server has the
   * configured one.
   */
  async start(args: readonly string[] = [], port = this.port): Promise<RunningServer> {
    const server = await this.launch(args, port);
    await server.ready();
    return server;
  }

  /**
   * Starts a server, or what else `verb` says, without waiting for it; `env` is further environment of this
   * one.
   */
  async launch(
    args: readonly string[] = [],
    port = this.port,
    env: Readonly<Record<string, string>> = {},
    verb = "server",
  ): Promise<RunningServer> {
    const log = `${this.folder}/server-${this.#children.length}.log`;
    const { child, logged } = await spawnServer([verb, ...this.#named, "--log-format=json", ...args], {
      ...{ cwd: this.folder, log, program: this.#program },
      env: { ...this.#env, ...env, HEALTH_PORT: String(port) },
    });
    this.#children.push(child);
    this.#logs.push(logged);
    return new RunningServer(child, port, log, logged);
  }

  /** Ends what still runs and removes the folder. Fails where any of it has told what was planted. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    }
    await Promise.all(this.#logs);
    for (const at of this.#children.keys()) this.#said.push(await this.#logOf(at));
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
    assertTellsNothing(this.#said);
  }

  async #logOf(at: number): Promise<Output> {
    return {
      what: `log of server ${at}`,
      text: await Deno.readTextFile(`${this.folder}/server-${at}.log`).catch(() => ""),
    };
  }
}

export interface SpawnOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** File of its stderr. */
  readonly log: string;
  /** The program and the arguments before `args`. @default `program()` */
  readonly program?: readonly string[];
}

/** Starts the program with these arguments; `logged` resolves when it has ended and its log is whole. */
export async function spawnServer(
  args: readonly string[],
  { cwd, env, log, program: [command = "", ...before] = program() }: SpawnOptions,
): Promise<{ readonly child: Deno.ChildProcess; readonly logged: Promise<void> }> {
  const file = await Deno.open(log, { write: true, create: true, truncate: true });
  const child = new Deno.Command(command, {
    ...{ args: [...before, ...args], cwd, env },
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  return { child, logged: keep(child.stderr, file) };
}

/** Writes each piece as it comes: `pipeTo` a file's `writable` keeps everything back until the end. */
async function keep(stream: ReadableStream<Uint8Array<ArrayBuffer>>, file: Deno.FsFile): Promise<void> {
  for await (const piece of stream) {
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
  file.close();
}

export class RunningServer {
  #ended: Deno.CommandStatus | undefined;

  constructor(
    readonly child: Deno.ChildProcess,
    readonly port: number,
    readonly logFile: string,
    readonly logged: Promise<void>,
  ) {
    void child.status.then((status) => this.#ended = status);
  }

  /** How it ended; undefined while it runs. */
  get ended(): Deno.CommandStatus | undefined {
    return this.#ended;
  }

  async probe(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const signal = AbortSignal.timeout(PROBE_MS);
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal });
    return { status: response.status, body: await response.json() };
  }

  /** Resolves once `/readyz` says 200; rejects with the server's log when it ended instead. */
  async ready(): Promise<void> {
    await this.until(async () => (await this.probe("/readyz")).status === 200, "the server to be ready");
  }

  /** Resolves when it has ended by itself; rejects with its log when it does not. */
  async finished(): Promise<void> {
    await this.#tellingLog(
      until(() => this.#ended !== undefined, "the server to end by itself", { within: 120_000 }),
    );
  }

  /** Resolves when every subscription has caught up and the outbox is empty. */
  async quiet(): Promise<void> {
    let seen = 0;
    await this.until(async () => {
      const { body } = await this.probe("/readyz");
      const checks = body["checks"] as {
        subscriptions?: { details: { lag: number | null; pending: number | null }[] };
      };
      const rows = checks.subscriptions?.details ?? [];
      const quiet = rows.length > 0 && rows.every((row) => row.lag === 0 && row.pending === 0);
      seen = quiet ? seen + 1 : 0;
      return seen >= 2;
    }, "the server to have worked off everything");
  }

  /**
   * Waits for something that this server brings about; the end of its process, and of the wait, is told with
   * its log.
   */
  async until(condition: () => boolean | Promise<boolean>, what: string, within = 60_000): Promise<number> {
    const hopeless = () => this.#ended && `the server ended with ${this.#ended.code}`;
    return await this.#tellingLog(until(condition, what, { within, hopeless }));
  }

  async #tellingLog<T>(wait: Promise<T>): Promise<T> {
    try {
      return await wait;
    } catch (error) {
      throw new Error(`${asError(error).message}\n${(await this.log()).slice(-4000)}`, { cause: error });
    }
  }

  log(): Promise<string> {
    return Deno.readTextFile(this.logFile);
  }

  async end(signal: Deno.Signal): Promise<number> {
    this.child.kill(signal);
    const { code } = await this.child.status;
    await this.logged;
    return code;
  }
}

export const sampleOrders = new URL("handlers/sample/orders.jsonl", root).pathname;
