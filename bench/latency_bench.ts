/**
 * PERF-4: the time from the end of a commit to the start of its handler, at a paced 1,000 events a second,
 * each in a transaction of its own. Once with the producer in the server's process, once in another one,
 * where only hints tell of a commit; on PostgreSQL + Redis (both started for it) and on SQLite.
 *
 * Beside it stands the commit itself as its producer saw it, which tells how much of a figure is the
 * machine's: where commits take long, the disk or the processors are busy, and everything waits for them.
 * `deno run -A bench/latency_bench.ts [events] [per second] [postgres|sqlite]`
 *
 * @module
 */
import { z } from "zod";
import { Domain, Engine, on } from "../lib/mod.ts";
import { runtimeOf } from "../lib/domain/runtime.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { seconds } from "./report.ts";

/** Events before the first that is counted: connections open, plans are made, code gets warm. */
const WARM_UP = 500;

type Config = Record<string, unknown>;

/** What a producer noted of one event, epoch ms with fractions. */
interface Commit {
  readonly asked: number;
  readonly done: number;
}

const now = () => performance.timeOrigin + performance.now();

function fixture(started: (n: number) => void) {
  const domain = new Domain("latency");
  const schema = z.object({ id: z.string(), n: z.number() });
  const Item = domain.aggregate("Item", { schema });
  const Added = domain.event("Added", { partOf: Item, schema });
  domain.eventHandler("NoOp", { partOf: Item, handles: [on(Added, ({ n }) => started(n))] });
  return { domain, Added };
}

/** Commits `count` events, paced: whoever falls behind catches up, so that the rate holds on the whole. */
async function produce({ domain, Added }: ReturnType<typeof fixture>, perSecond: number, count: number) {
  const commits: Commit[] = [];
  const running: Promise<unknown>[] = [];
  const began = performance.now();
  for (let n = 0; n < count;) {
    const due = (performance.now() - began) * perSecond / 1000;
    for (; n < Math.min(due, count); n++) {
      const at = n;
      const asked = now();
      running.push(
        domain.publish(Added, { id: `i${n % 100}`, n }).then(() => commits[at] = { asked, done: now() }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
  return commits;
}

/** The producer as a process of its own; returns what it noted. */
async function produceElsewhere(config: Config, perSecond: number, count: number): Promise<Commit[]> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      import.meta.filename ?? "",
      "produce",
      JSON.stringify(config),
      `${perSecond}`,
      `${count}`,
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("The producer failed.");
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function measure(what: string, config: Config, perSecond: number, events: number): Promise<void> {
  for (const [where, elsewhere] of [["the same process", false], ["another process", true]] as const) {
    const count = events + WARM_UP;
    const started: number[] = [];
    let left = count;
    const handled = Promise.withResolvers<void>();
    const running = fixture((n) => {
      started[n] = now();
      if (--left === 0) handled.resolve();
    });
    await running.domain.init({ config });
    for (const provider of runtimeOf(running.domain).providers.values()) await provider.setup("own", []);
    const stop = new AbortController();
    const engine = new Engine(running.domain).run({ signal: stop.signal });
    const producing = elsewhere
      ? produceElsewhere(config, perSecond, count)
      : produce(running, perSecond, count);
    const commits = await producing;
    await Promise.race([handled.promise, engine]);
    stop.abort();
    await engine;
    const counted = commits.map(({ asked, done }, n) => ({ asked, done, start: started[n] ?? NaN })).slice(
      WARM_UP,
    );
    const share = sharesOf(counted.map(({ done, start }) => Math.max(0, start - done)));
    const commit = sharesOf(counted.map(({ asked, done }) => done - asked));
    seconds(`commit to handler start, ${what}, producer in ${where}`, {
      p50: share(0.5),
      p90: share(0.9),
      p99: share(0.99),
      "the commit itself p50": commit(0.5),
      "its p99": commit(0.99),
    });
  }
}

const sharesOf = (figures: number[]) => {
  figures.sort((x, y) => x - y);
  return (part: number) => figures[Math.floor(figures.length * part)] ?? NaN;
};

async function run(events: number, perSecond: number, which: string): Promise<void> {
  const off = { server: { health: { enabled: false } } };
  if (which !== "sqlite") {
    await using database = await PostgresServer.start();
    await using streams = await RedisServer.start();
    await measure(
      "PostgreSQL + Redis",
      {
        ...off,
        // Without overflow, for connections beyond the pool's size are opened for one transaction and closed
        // after it.
        databases: {
          default: { provider: "postgresql", database_uri: database.uri(), pool_size: 15, max_overflow: 0 },
        },
        brokers: { default: { provider: "redis", URI: streams.uri } },
      },
      perSecond,
      events,
    );
  }
  if (which !== "postgres") {
    const folder = await Deno.makeTempDir();
    await measure(
      "SQLite",
      {
        ...off,
        databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/bench.db` } },
        event_store: { provider: "sqlite", database_uri: `sqlite:///${folder}/bench.db` },
        brokers: { default: { provider: "sqlite", URI: `sqlite:///${folder}/bench-streams.db` } },
        caches: { default: { provider: "sqlite", URI: `sqlite:///${folder}/bench-streams.db` } },
      },
      perSecond,
      events,
    );
    await Deno.remove(folder, { recursive: true });
  }
}

if (Deno.args[0] === "produce") {
  const [, config = "", perSecond, count] = Deno.args;
  const producing = fixture(() => {});
  await producing.domain.init({ config: JSON.parse(config) });
  const commits = await produce(producing, Number(perSecond), Number(count));
  await producing.domain.close();
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(commits)));
} else {
  const [events = "10000", perSecond = "1000", which = "all"] = Deno.args;
  await run(Number(events), Number(perSecond), which);
}
