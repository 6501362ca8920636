/**
 * F21, H2: a message that kills its process before its handler is reached, while it is decoded or validated,
 * is counted all the same.
 */
import { assertEquals } from "@std/assert";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import type { AdapterOptions, BaseBroker } from "../../lib/adapters/ports.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { Installation } from "./server.ts";

const STREAM = "deadly::thing";
const DOMAIN = new URL("domains/deadly.js", import.meta.url).pathname;
/** More than are ever needed: then it would go on for ever. */
const MOST_PROCESSES = 8;

function event(id: string, data: Record<string, unknown> = {}): string {
  const headers = { id, type: "Deadly.Happened.v1", stream: `${STREAM}-${id}` };
  return JSON.stringify({ data: { id, ...data }, metadata: { headers, domain: { kind: "EVENT" } } });
}

async function lines(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

async function costsAsManyProcessesAsConfigured(
  config: string,
  open: (options: AdapterOptions) => BaseBroker,
) {
  await using installation = await Installation.create(config, { domain: DOMAIN });
  const { folder } = installation;
  const broker = open({ name: "default", domain: "deadly", settings: {}, folder, clock: systemClock });
  await broker.open();
  try {
    const texts = [event("a"), event("d", { deadly: true }), event("b"), event("c")];
    await broker.publish(texts.map((data) => ({ stream: STREAM, data })));
    let died = 0;
    while (died < MOST_PROCESSES) {
      const server = await installation.launch(["--once"]);
      await server.finished();
      const { code } = await server.child.status;
      if (code === 0) break;
      assertEquals(code, 9, await server.log());
      died++;
    }
    assertEquals([died, (await lines(`${folder}/judged.log`)).length], [3, 3]);
    assertEquals([...new Set(await lines(`${folder}/handled.log`))].sort(), ["a", "b", "c"]);
    const letters = await broker.deadLetters.list(`${STREAM}:dlq`, { limit: 10 });
    const facts = letters.map(({ data }) => JSON.parse(data ?? "")._dlq_metadata);
    assertEquals(facts.map(({ message_id, retry_count }) => [message_id, retry_count]), [["d", 3]]);
  } finally {
    await broker.close();
  }
}

Deno.test("a message that kills its process while it is judged costs max_deliveries processes (SQLite)", async () => {
  await costsAsManyProcessesAsConfigured("", (options) => new SqliteBroker(options));
});

redisTest(
  "a message that kills its process while it is judged costs max_deliveries processes (Redis)",
  async () => {
    await using redis = await RedisServer.start();
    await costsAsManyProcessesAsConfigured(
      `[brokers.default]\nprovider = "redis"\nURI = "${redis.uri}"\n`,
      (options) => new RedisBroker({ ...options, settings: { URI: redis.uri } }),
    );
  },
);
