/**
 * Batches in server processes that are killed in the middle of one, on SQLite and on PostgreSQL with Redis:
 * nothing is lost, doubled or out of order, and what cannot be handled is found and given up alone.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Row } from "@protean/server";
import { PostgresServer } from "../support/postgres_server.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { type Batching, CULPRIT, KEYS, opened } from "./batches_worker.ts";

const script = new URL("./batches_worker.ts", import.meta.url).pathname;
const settings = new URL("../../deno.json", import.meta.url).pathname;
/** While processes are killed, and afterwards. */
const EVENTS = 350;
const MORE = 150;

function serve(config: Row, die = 0): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--config", settings, script, JSON.stringify(config), String(die)],
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function handled({ domain, Batched, Projected }: Batching): Promise<number[]> {
  return await domain.unitOfWork(async (ctx) => {
    const lists = [await ctx.view(Batched).list(), await ctx.view(Projected).list()];
    return lists.map((rows) => rows.reduce((sum, { numbers }) => sum + numbers.length, 0));
  });
}

async function killedInTheMiddle(config: Row, keepsOrder: boolean): Promise<void> {
  const made = await opened(config);
  const { domain, Numbered, Batched, Projected } = made;
  let n = 1;
  const publish = async (last: number) => {
    for (; n <= last; n++) {
      const key = `k${n % KEYS}`;
      await domain.publish(Numbered, { key, n }, { id: key });
    }
  };
  const all = (events: number) => async () => (await handled(made)).every((count) => count === events - 1);
  try {
    for (const [die, events] of [[2, EVENTS - 100], [1, EVENTS]] as const) {
      await publish(events);
      const server = serve(config, die);
      // Where it does not: it is not to outlive the test.
      const late = setTimeout(() => server.kill("SIGTERM"), 60_000);
      const { signal } = await server.status;
      clearTimeout(late);
      assertEquals(signal, "SIGKILL");
    }
    const server = serve(config);
    try {
      await until(all(EVENTS), "all that can be handled");
      await publish(EVENTS + MORE);
      await until(all(EVENTS + MORE), "what is published afterwards");
      const culprits = async () => (await domain.deadLetters.list()).entries;
      await until(async () => (await culprits()).length === 2, "both dead letters");
      assertEquals(
        (await culprits()).map(({ handler, retryCount, errorMessage }) => [handler, retryCount, errorMessage])
          .toSorted(),
        [["Batches", 2, `not ${CULPRIT}`], ["Projects", 2, `not ${CULPRIT}`]],
      );
    } finally {
      server.kill("SIGTERM");
      assertEquals((await server.status).code, 0);
    }
    const numbers = Array.from({ length: EVENTS + MORE }, (_, n) => n + 1).filter((n) => n !== CULPRIT);
    for (const view of [Batched, Projected]) {
      for (const { id, numbers: own } of await domain.unitOfWork((ctx) => ctx.view(view).list())) {
        const expected = numbers.filter((n) => id === `k${n % KEYS}`);
        const isOrdered = (n: number) => keepsOrder || n > EVENTS;
        assertEquals(own.filter(isOrdered), expected.filter(isOrdered));
        assertEquals(own.toSorted((a, b) => a - b), expected);
      }
    }
  } finally {
    await domain.close();
  }
}

const SERVER = { health: { enabled: false } };

Deno.test("sqlite: servers killed in the middle of a batch lose, double and disorder nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await killedInTheMiddle({
      databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` } },
      brokers: { default: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` } },
      caches: { default: { provider: "memory" } },
      event_store: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` },
      server: SERVER,
    }, true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("postgres and redis: servers killed in the middle of a batch lose, double and disorder nothing", async () => {
  await using database = await PostgresServer.start();
  await using streams = await RedisServer.start();
  await killedInTheMiddle({
    databases: { default: { provider: "postgresql", database_uri: database.uri() } },
    brokers: { default: { provider: "redis", URI: streams.uri } },
    caches: { default: { provider: "memory" } },
    server: SERVER,
  }, false);
});
