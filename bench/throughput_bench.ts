/**
 * Commits that travel together (the throughput goals), in one run on servers of their own.
 *
 * A handler that puts one row of a view and is marked, on PostgreSQL + Redis: messages per second of the second
 * half, against `pgbench -M prepared` with the same statements (one transaction a message, ten connections),
 * against the same with `commit_group_size = 1`, and against another commit where one is named. Then the
 * thousand sample orders of the bundled domain, on PostgreSQL + Redis and on SQLite, from the first mark to the
 * last one.
 * `deno run -A bench/throughput_bench.ts [messages] [rounds] [folder of another working copy] [handlers|batches|orders]`
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { encodeEvent } from "../tests/support/encode_message.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { median, print, rate, ratio } from "./report.ts";
import type { Measured, Run } from "./throughput_child.ts";

const MESSAGES = Number(Deno.args[0] ?? 60_000);
const ROUNDS = Number(Deno.args[1] ?? 3);
const OTHER = Deno.args[2];
const OWN = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const IDS = 10_000;
const CONCURRENCY = [64, 256];
const BATCH = 100;
const PGBENCH_SECONDS = 5;
const TEXT = "x".repeat(200);
const CATEGORY = "bench::item";

/** What each message costs by hand: a mark and a row, in a transaction. */
const SCRIPT = `\\set id random(1, ${IDS})
\\set message random(1, 9000000000000000)
begin;
insert into protean_processed (handler, type, message_id, checksum, processed_at)
  values ('bench.Rows', 'Bench.Added.v1', 'm' || :message, 'c', now()) on conflict do nothing;
insert into protean_bench_view_row as old (id, version, state, created_at, updated_at)
  values ('i' || :id, 0, '{"id": "i", "n": 1, "text": "${TEXT}"}', now(), now())
  on conflict (id) do update set state = excluded.state, version = old.version + 1, updated_at = excluded.updated_at;
commit;
`;

async function measureBatches(): Promise<void> {
  await using postgres = await PostgresServer.start({ settings: { max_connections: "100" } });
  await using server = await RedisServer.start();
  const redis = new Redis(server.uri, { maxRetriesPerRequest: null });
  redis.on("error", () => {});
  const rates: number[] = [];
  const tps: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await fill(redis);
    await postgres.sql("drop schema public cascade", "create schema public");
    const where = { root: OWN, settings: {}, database: postgres.uri(), redis: server.uri };
    rates.push((await handlers({ ...where, messages: MESSAGES, concurrency: 4, batch: BATCH })).rate);
    tps.push(await pgbench(postgres));
  }
  const [ours, theirs] = [median(rates), median(tps)];
  print(`batch handler of ${BATCH}, messages/s`, ours, "pgbench -M prepared", theirs, ratio(ours, theirs));
  redis.disconnect();
}

/** The transactions of `pgbench -M prepared` a second. */
async function pgbench(server: PostgresServer): Promise<number> {
  const script = await Deno.makeTempFile({ suffix: ".sql" });
  await Deno.writeTextFile(script, SCRIPT);
  const { stdout } = await new Deno.Command("pgbench", {
    args: [
      ...[
        "-h",
        "127.0.0.1",
        "-p",
        String(server.port),
        "-U",
        "postgres",
        "-n",
        "-f",
        script,
        "-M",
        "prepared",
      ],
      ...["-c", "10", "-j", "2", "-T", String(PGBENCH_SECONDS), "postgres"],
    ],
    stderr: "null",
  }).output();
  await Deno.remove(script);
  const found = /tps = ([\d.]+)/.exec(new TextDecoder().decode(stdout))?.[1];
  if (found === undefined) throw new Error("pgbench did not run.");
  return Number(found);
}

async function fill(redis: Redis): Promise<void> {
  await redis.flushall();
  for (let at = 0; at < MESSAGES; at += 1000) {
    const pipeline = redis.pipeline();
    for (let n = at; n < Math.min(MESSAGES, at + 1000); n++) {
      const id = `i${n % IDS}`;
      const data = { id, n, text: TEXT };
      const event = { type: "Bench.Added.v1", category: CATEGORY, id, n, time: Date.now(), data };
      pipeline.xadd(CATEGORY, "*", "data", encodeEvent(event));
    }
    await pipeline.exec();
  }
}

async function handlers(run: Run): Promise<Measured> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--config", `${run.root}/deno.json`],
      ...[new URL("throughput_child.ts", import.meta.url).pathname, JSON.stringify(run)],
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("A run has failed.");
  return JSON.parse(new TextDecoder().decode(stdout)) as Measured;
}

/** Milliseconds between the first and the last mark of the sample orders; what fails is tried again meanwhile. */
async function orders(
  root: string,
  config: string,
  marks: (folder: string) => Promise<number>,
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "protean-orders-" });
  try {
    await Deno.writeTextFile(`${folder}/domain.toml`, config);
    const main = async (...args: readonly string[]) => {
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--config", `${root}/deno.json`, `${root}/main.ts`, ...args],
        cwd: folder,
        env: { PROTEAN_DATA_DIR: folder, PROTEAN_DOMAIN: "my_domain" },
        stdout: "null",
        stderr: "piped",
      }).output();
      if (!success) throw new Error(`${args.join(" ")} has failed: ${new TextDecoder().decode(stderr)}`);
    };
    await main("db", "setup");
    await main("send", "PlaceOrder", "--file", `${root}/handlers/sample/orders.jsonl`);
    await main("server", "--once");
    return await marks(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function marksOn(postgres: PostgresServer): Promise<number> {
  const [ms] = await postgres.sql(
    "select 1000 * extract(epoch from max(processed_at) - min(processed_at)) from protean_processed",
  );
  return Number(ms);
}

function marksIn(folder: string): Promise<number> {
  const db = new DatabaseSync(`${folder}/my_domain.db`, { readOnly: true });
  try {
    const times = "select min(processed_at) as first, max(processed_at) as last from protean_processed";
    const row = db.prepare(times).get();
    return Promise.resolve(Date.parse(String(row?.["last"])) - Date.parse(String(row?.["first"])));
  } finally {
    db.close();
  }
}

const onServers = (postgres: PostgresServer, redis: RedisServer, more = "") => `
[databases.default]
provider = "postgresql"
database_uri = "${postgres.uri()}"
${more}
[brokers.default]
provider = "redis"
URI = "${redis.uri}"
[caches.default]
provider = "redis"
URI = "${redis.uri}"
[server.health]
enabled = false
`;
const ON_SQLITE = "[server.health]\nenabled = false\n";

async function measureHandlers(): Promise<void> {
  await using postgres = await PostgresServer.start({ settings: { max_connections: "100" } });
  await using server = await RedisServer.start();
  const redis = new Redis(server.uri, { maxRetriesPerRequest: null });
  redis.on("error", () => {});
  const variants: Record<string, Pick<Run, "root" | "settings">> = {
    "this commit": { root: OWN, settings: {} },
    "commit_group_size = 1": { root: OWN, settings: { commit_group_size: 1 } },
    ...OTHER === undefined ? {} : { "the other commit": { root: OTHER, settings: {} } },
  };
  for (const concurrency of CONCURRENCY) {
    const figures: Record<string, Measured[]> = {};
    const tps: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, variant] of Object.entries(variants)) {
        await fill(redis);
        await postgres.sql("drop schema public cascade", "create schema public");
        const run = {
          ...variant,
          database: postgres.uri(),
          redis: server.uri,
          messages: MESSAGES,
          concurrency,
        };
        (figures[name] ??= []).push(await handlers(run));
      }
      tps.push(await pgbench(postgres));
    }
    const of = (name: string) => median((figures[name] ?? []).map((one) => one.rate));
    const ours = of("this commit");
    const what = `row and mark, concurrency ${concurrency}, messages/s`;
    print(what, ours, "pgbench -M prepared", median(tps), ratio(ours, median(tps)));
    for (const name of Object.keys(variants).slice(1)) {
      print(what, ours, name, of(name), ratio(ours, of(name)));
    }
    const cpu = median((figures["this commit"] ?? []).map((one) => one.cpu));
    print("µs of CPU a message in Deno", cpu, "a second's worth at this rate", 1e6 / ours, cpu * ours / 1e6);
  }
  redis.disconnect();
}

async function measureOrders(): Promise<void> {
  const roots: Record<string, { readonly root: string; readonly more?: string }> = {
    "this commit": { root: OWN },
    ...OTHER === undefined
      ? { "commit_group_size = 1": { root: OWN, more: "commit_group_size = 1" } }
      : { "the other commit": { root: OTHER } },
  };
  const figures: Record<string, { readonly servers: number[]; readonly sqlite: number[] }> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, { root, more }] of Object.entries(roots)) {
      const { servers, sqlite } = figures[name] ??= { servers: [], sqlite: [] };
      await using postgres = await PostgresServer.start();
      await using redis = await RedisServer.start();
      servers.push(await orders(root, onServers(postgres, redis, more), () => marksOn(postgres)));
      sqlite.push(await orders(root, ON_SQLITE, marksIn));
    }
  }
  const [, other = ""] = Object.keys(roots);
  for (const place of ["servers", "sqlite"] as const) {
    const of = (name: string) => rate(1000, median(figures[name]?.[place] ?? []));
    const where = place === "servers" ? "PostgreSQL + Redis" : "SQLite";
    print(
      `sample orders on ${where}, orders/s`,
      of("this commit"),
      other,
      of(other),
      ratio(of("this commit"), of(other)),
    );
  }
}

const PARTS = { handlers: measureHandlers, batches: measureBatches, orders: measureOrders };
for (const [part, measure] of Object.entries(PARTS)) {
  if ([part, undefined].includes(Deno.args[3])) await measure();
}
