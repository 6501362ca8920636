/**
 * PostgreSQL, in one run on one server of its own: units of work against pgbench with the same statements
 * over as many connections (PERF-2), and the outbox against a bare claim-and-mark loop on the same table
 * (PERF-3). The medians of rounds in which all take turns. Run: `deno run -A bench/postgres_bench.ts
 * [seconds] [rounds] [connections]`
 *
 * @module
 */
import postgres from "postgres";
import { type OutboxInsert, type OutboxRow, shardOf, type WriteSet } from "../lib/adapters/ports.ts";
import { PostgresProvider } from "../lib/adapters/postgres/provider.ts";
import { systemClock } from "../lib/async/clock.ts";
import { ExpectedVersionError } from "../lib/errors.ts";
import type { MessageMetadata } from "../lib/message/types.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { print, rate, ratio } from "./report.ts";

const TABLE = "protean_bench_order";
const ORDERS = 10_000;
const OUTBOX_ROWS = 30_000;
const STATE = JSON.stringify({ id: "o", status: "placed", amount: 12.5, note: "x".repeat(200) });
const DATA = JSON.stringify({ order_id: "o", note: "x".repeat(450) });

/** pgbench takes every colon before a letter for a variable's. */
const literal = (json: string) => `'${json.replaceAll('":', '": ')}'`;

/** pgbench's script: what a handler with one transaction does, written by hand. */
const SCRIPT = `\\set id random(1, ${ORDERS})
\\set message random(1, 9000000000000000)
begin;
insert into protean_processed (handler, type, message_id, processed_at)
  values ('bench.Handler', 'Bench.OrderPlaced.v1', 'm' || :message, now()) on conflict do nothing;
select version, state from ${TABLE} where id = 'o' || :id \\gset
update ${TABLE} set state = ${literal(STATE)}, version = version + 1, updated_at = now()
  where id = 'o' || :id and version = :version;
insert into protean_outbox (message_id, stream_name, type, data, metadata_, target_broker, shard, priority,
  correlation_id, causation_id, created_at) values ('m' || :message, 'bench--order-o' || :id, 'Bench.OrderPlaced.v1',
  ${literal(DATA)}, ${
  literal(JSON.stringify(metadata("m", "bench--order-o1")))
}, 'default', :id % 16, 0, 'c', 'c', now())
  on conflict do nothing;
commit;
`;

if (import.meta.main) {
  const [seconds = 3, rounds = 5, connections = 10] = Deno.args.map(Number);
  await using server = await PostgresServer.start({ settings: { max_connections: "100" } });
  const provider = new PostgresProvider({
    name: "default",
    domain: "bench",
    settings: { database_uri: server.uri(), pool_size: connections, max_overflow: 0 },
    folder: Deno.cwd(),
    clock: systemClock,
  });
  const bare = postgres(server.uri(), { max: 1, onnotice: () => {} });
  try {
    await provider.setup("all", [{ kind: "aggregate", name: TABLE }]);
    await unitsOfWork(provider, server, { seconds, rounds, connections });
    for (const batch of [100, 500]) await outbox(provider, bare, batch, rounds);
  } finally {
    await provider.close();
    await bare.end();
  }
}

async function unitsOfWork(
  provider: PostgresProvider,
  server: PostgresServer,
  options: { seconds: number; rounds: number; connections: number },
): Promise<void> {
  const { seconds, rounds, connections } = options;
  const script = await Deno.makeTempFile({ suffix: ".sql" });
  await Deno.writeTextFile(script, SCRIPT);
  const figures: Record<string, number[]> = { ours: [], simple: [], prepared: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [lane, values] of Object.entries(figures)) {
      await fillOrders(provider);
      values.push(
        lane === "ours"
          ? await handlers(provider, seconds, connections)
          : await pgbench(server, script, lane, seconds, connections),
      );
    }
  }
  await Deno.remove(script);
  for (const lane of ["simple", "prepared"]) {
    report(
      `units of work/s on ${connections} connections`,
      figures["ours"],
      `pgbench -M ${lane}`,
      figures[lane],
    );
  }
}

/** As many handlers as connections, each: mark, load, update, one event. */
async function handlers(provider: PostgresProvider, seconds: number, connections: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  const began = performance.now();
  let done = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (performance.now() < until) {
      const id = `o${1 + Math.floor(Math.random() * ORDERS)}`;
      const messageId = crypto.randomUUID();
      const session = provider.session();
      try {
        await session.mark({ handler: "bench.Handler", type: "Bench.OrderPlaced.v1", messageId });
        const row = await session.load(TABLE, id);
        await session.commit({
          rows: [{ table: TABLE, id, state: STATE, expected: row?.version ?? -1 }],
          outbox: [insert(messageId, `bench::order-${id}`)],
          events: [],
        });
        done++;
      } catch (error) {
        // Two had the same order in hand; pgbench's update then changes nothing, and it counts that.
        if (!(error instanceof ExpectedVersionError)) throw error;
      } finally {
        await session.rollback();
      }
    }
  }));
  return rate(done, performance.now() - began);
}

async function pgbench(
  server: PostgresServer,
  script: string,
  mode: string,
  seconds: number,
  connections: number,
): Promise<number> {
  const { stdout } = await new Deno.Command("pgbench", {
    args: [
      ...["-h", "127.0.0.1", "-p", String(server.port), "-U", "postgres", "-n", "-f", script, "-M", mode],
      ...["-c", String(connections), "-j", "2", "-T", String(seconds), "postgres"],
    ],
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const found = /tps = ([\d.]+)/.exec(text)?.[1];
  if (found === undefined) throw new Error(`pgbench did not run: ${text}`);
  return Number(found);
}

/** Claim, mark published; the next claim while the last is marked, as the processor does it. */
async function outbox(
  provider: PostgresProvider,
  bare: postgres.Sql,
  batch: number,
  rounds: number,
): Promise<void> {
  const figures: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  for (let round = 0; round < rounds; round++) {
    await fillOutbox(provider);
    figures.ours.push(await timed(() => leaseLoop(provider, batch)));
    await fillOutbox(provider);
    figures.bare.push(await timed(() => bareLoop(bare, batch)));
  }
  report(`outbox rows/s claimed and marked by ${batch}`, figures.ours, "bare SKIP LOCKED loop", figures.bare);
}

async function leaseLoop(provider: PostgresProvider, batch: number): Promise<void> {
  const lease = await provider.outbox.lease({ broker: "default", owner: "bench" });
  let marking: Promise<void> = Promise.resolve();
  for (let rows = await lease.claim(batch); rows.length > 0;) {
    const outcomes = rows.map(({ id }: OutboxRow) => ({ id, status: "published" }) as const);
    await marking;
    marking = lease.settle(outcomes);
    rows = await lease.claim(batch);
  }
  await marking;
  await lease.release();
}

async function bareLoop(bare: postgres.Sql, batch: number): Promise<void> {
  for (;;) {
    const rows =
      await bare`update protean_outbox set status = 'processing' where (message_id, target_broker) in (
      select message_id, target_broker from protean_outbox where target_broker = 'default' and published_at is null
      and abandoned_at is null and status = 'pending' limit ${batch} for update skip locked)
      returning message_id, stream_name, data, metadata_::text`;
    if (rows.length === 0) return;
    await bare`update protean_outbox set status = 'published', published_at = now()
      where target_broker = 'default' and message_id in ${bare(rows.map((row) => row["message_id"]))}`;
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return rate(OUTBOX_ROWS, performance.now() - began);
}

async function fillOrders(provider: PostgresProvider): Promise<void> {
  await provider.truncate([{ kind: "aggregate", name: TABLE }]);
  const rows = Array.from({ length: ORDERS }, (_, index) => ({
    table: TABLE,
    id: `o${index + 1}`,
    state: STATE,
    expected: -1,
  }));
  await commit(provider, { rows });
}

async function fillOutbox(provider: PostgresProvider): Promise<void> {
  await provider.truncate([]);
  for (let from = 0; from < OUTBOX_ROWS; from += 500) {
    const rows = Array.from(
      { length: 500 },
      (_, index) => insert(`m${from + index}`, `bench::order-${index % 97}`),
    );
    await commit(provider, { outbox: rows });
  }
}

async function commit(provider: PostgresProvider, writes: Partial<WriteSet>): Promise<void> {
  await provider.session().commit({ rows: [], outbox: [], events: [], ...writes });
}

function insert(messageId: string, streamName: string): OutboxInsert {
  return {
    messageId,
    streamName,
    type: "Bench.OrderPlaced.v1",
    data: DATA,
    metadata: JSON.stringify(metadata(messageId, streamName)),
    correlationId: null,
    causationId: null,
    targetBroker: "default",
    priority: 0,
    shard: shardOf(streamName),
  };
}

function metadata(id: string, stream: string): MessageMetadata {
  return {
    headers: {
      ...{ id, stream, type: "Bench.OrderPlaced.v1", time: null },
      ...{ traceparent: null, idempotency_key: null, deadline: null },
    },
    envelope: { specversion: "1.0", checksum: "0".repeat(64) },
    domain: {
      ...{ fqn: "Bench.OrderPlaced", kind: "EVENT", origin_stream: null, stream_category: null },
      ...{ version: 1, sequence_id: "0.1", asynchronous: true, expected_version: null, priority: 0 },
      ...{ correlation_id: "c", causation_id: "c" },
    },
    event_store: null,
    extensions: {},
  };
}

function report(
  what: string,
  ours: readonly number[] = [],
  against: string,
  theirs: readonly number[] = [],
): void {
  const ratios = ours.map((figure, round) => ratio(figure, theirs[round] ?? NaN));
  print(what, median(ours), against, median(theirs), median(ratios));
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}
