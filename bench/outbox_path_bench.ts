/**
 * PERF-3 on real servers, in one run: the outbox processor against a bare claim + XADD + mark loop on the
 * same table. PostgreSQL and Redis are started for it.
 * `deno run -A bench/outbox_path_bench.ts [rows] [rounds]`
 *
 * @module
 */
import { Redis } from "ioredis";
import postgres from "postgres";
import { PostgresProvider } from "../lib/adapters/postgres/provider.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { adapter, publishing, row } from "./outbox_rows.ts";
import { median, print, rate, ratio } from "./report.ts";

const ROWS = Number(Deno.args[0] ?? 30_000);
const ROUNDS = Number(Deno.args[1] ?? 3);
const BATCH = 500;

await using database = await PostgresServer.start();
await using cache = await RedisServer.start();

async function fill(provider: PostgresProvider, sql: postgres.Sql, redis: Redis): Promise<void> {
  await redis.flushall();
  await sql`truncate protean_outbox`;
  for (let at = 0; at < ROWS; at += 1000) {
    const outbox = Array.from({ length: Math.min(1000, ROWS - at) }, (_, n) => row(at + n));
    await provider.session().commit({ rows: [], outbox, events: [] });
  }
  await sql`vacuum analyze protean_outbox`;
}

/** What somebody would write by hand for one worker: claim in order, XADD pipelined, mark. */
async function bare(sql: postgres.Sql, redis: Redis): Promise<number> {
  const began = performance.now();
  while (true) {
    const rows = await sql`
      update protean_outbox set status = 'processing' where seq in (
        select seq from protean_outbox where status = 'pending' order by seq limit ${BATCH} for update skip locked)
      returning seq, data, metadata_::text as metadata`;
    if (rows.length === 0) return rate(ROWS, performance.now() - began);
    rows.sort((a, b) => Number(a.seq) - Number(b.seq));
    const pipeline = redis.pipeline();
    for (const { data, metadata } of rows) {
      pipeline.xadd("bench::item", "*", "data", `{"data":${data},"metadata":${metadata}}`);
    }
    await pipeline.exec();
    await sql`update protean_outbox set status = 'published', published_at = now() where seq in ${
      sql(rows.map(({ seq }) => seq))
    }`;
  }
}

const provider = new PostgresProvider(adapter({ database_uri: database.uri() }));
await provider.open();
await provider.setup("own", []);
const sql = postgres(database.uri(), { max: 1, onnotice: () => {} });
const redis = new Redis(cache.uri);
const figures = { bare: [] as number[], ours: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  await fill(provider, sql, redis);
  figures.bare.push(await bare(sql, redis));
  await fill(provider, sql, redis);
  figures.ours.push(rate(ROWS, await publishing(provider, cache.uri, BATCH)));
}
print(
  "outbox rows/s on PostgreSQL + Redis",
  median(figures.ours),
  "bare claim + XADD + mark",
  median(figures.bare),
  ratio(median(figures.ours), median(figures.bare)),
);
await provider.close();
await sql.end();
redis.disconnect();
