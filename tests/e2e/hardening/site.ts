/**
 * Where the guide is followed: a folder with its files, on a PostgreSQL and a Redis of its own.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { freePort } from "../../support/free_port.ts";
import { PostgresDatabase, PostgresServer } from "../../support/postgres_server.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { assertTellsNothing } from "../../support/standing_check.ts";
import { run } from "../run.ts";
import { type Finished, RunningServer, spawnServer } from "../server.ts";

const ROOT = new URL("../../../", import.meta.url);
/** Of the overlay that says what differs from production here: addresses of this machine, shorter times. */
const ENVIRONMENT = "rehearsal";

/** A program of the reader's own. */
export interface Program {
  readonly child: Deno.ChildProcess;
  /** Resolves when it has ended, with its exit code and what it said on stderr. */
  ended(): Promise<{ readonly code: number; readonly log: string }>;
}

export class Site implements AsyncDisposable {
  readonly #children: Deno.ChildProcess[] = [];
  readonly #ends: Promise<unknown>[] = [];
  #env: Readonly<Record<string, string>> = {};

  private constructor(
    readonly folder: string,
    readonly postgres: PostgresServer,
    readonly redis: RedisServer,
    /** Of the probes. */
    readonly port: number,
  ) {}

  static async open(): Promise<Site> {
    const [postgres, redis] = await Promise.all([
      PostgresServer.start({ settings: { fsync: "off", max_connections: "200" } }),
      RedisServer.start(),
    ]);
    const folder = await Deno.makeTempDir({ prefix: "protean-guide-" });
    return new Site(folder, postgres, redis, freePort());
  }

  get database(): PostgresDatabase {
    return new PostgresDatabase(this.postgres, "postgres");
  }

  /** `env`: of every process from here on, with the addresses of both servers. */
  environment(env: Readonly<Record<string, string>>): void {
    const [DATABASE_URL, REDIS_URL] = [this.postgres.uri(), this.redis.uri];
    this.#env = { NO_COLOR: "1", DATABASE_URL, REDIS_URL, PROTEAN_ENV: ENVIRONMENT, ...env };
  }

  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/${name}`, text);
  }

  /** `domain.toml` of the guide's blocks; `here`: tables by path and what is set in them for this machine. */
  async configure(
    blocks: readonly string[],
    here: Readonly<Record<string, string>>,
    name = "domain.toml",
  ): Promise<void> {
    const overlay = Object.entries({ "server.health": `port = ${this.port}`, ...here })
      .map(([table, settings]) => `[${ENVIRONMENT}.${table}]\n${settings}\n`);
    await this.write(name, [...blocks, ...overlay].join("\n"));
  }

  /** Runs a command of the guide as it stands there. */
  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    const [name, ...args] = command;
    assertEquals(name, "protean-server", command.join(" "));
    return await run(args, { cwd: this.folder, env: { ...this.#env, ...env } });
  }

  /** The same, which has to end with 0; returns what it prints. */
  async done(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, out, err } = await this.run(command, env);
    assertEquals(code, 0, `${command.join(" ")}\n${out}${err}`);
    return out;
  }

  /** Starts a server with these arguments and waits until it is ready. */
  async serve(args: readonly string[]): Promise<RunningServer> {
    const log = `${this.folder}/server-${this.#children.length}.log`;
    const { child, logged } = await spawnServer(args, { cwd: this.folder, env: this.#env, log });
    this.#children.push(child);
    this.#ends.push(
      logged.then(async () => assertTellsNothing([{ what: log, text: await Deno.readTextFile(log) }])),
    );
    const server = new RunningServer(child, this.port, log, logged);
    await server.ready();
    return server;
  }

  /** Starts a program of the reader's own with Deno, as the guide's command says; what it says is kept. */
  async deno(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const log = `${this.folder}/${args.at(-1)}.log`;
    const { child, logged } = await spawnServer(args, {
      ...{ cwd: this.folder, env: { ...this.#env, ...env }, log, program: [Deno.execPath()] },
    });
    this.#children.push(child);
    const ended = async () => {
      const { code } = await child.status;
      await logged;
      return { code, log: await Deno.readTextFile(log) };
    };
    return { child, ended };
  }

  /** `deno.json` of the reader's project, with this library in it. */
  async project(): Promise<void> {
    const { imports, unstable } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    // Where JSR cannot be reached: what `links` has for it.
    const local = { ...imports, "@std/toml": "./links/std_toml/mod.ts" } as Record<string, string>;
    const absolute = ([name, target]: [string, string]) =>
      [name, target.startsWith("./") ? new URL(target, ROOT).href : target] as const;
    await this.write(
      "deno.json",
      JSON.stringify({
        imports: Object.fromEntries(Object.entries(local).map(absolute)),
        ...{ unstable, nodeModulesDir: "none", lock: false },
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    }
    const ends = await Promise.allSettled(this.#ends);
    await Promise.all([this.postgres[Symbol.asyncDispose](), this.redis[Symbol.asyncDispose]()]);
    await Deno.remove(this.folder, { recursive: true });
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}
