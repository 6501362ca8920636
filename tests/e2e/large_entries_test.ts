/**
 * H3, M3: sizes are bounded from the first byte. What is received is handled or dead-lettered whole, in a
 * small heap too; what is larger is dead-lettered unread, and does not stop its stream.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { Installation } from "./server.ts";

const STREAM = "large::thing";
const DOMAIN = new URL("domains/large.js", import.meta.url).pathname;
const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const IN_A_SMALL_HEAP = [Deno.execPath(), "run", "-A", "--v8-flags=--max-old-space-size=400", MAIN];
const onRedis = ({ uri }: RedisServer) => `[brokers.default]\nprovider = "redis"\nURI = "${uri}"\n`;

function event(id: string, pad = ""): string {
  const headers = { id, type: "Large.Happened.v1", stream: `${STREAM}-${id}` };
  return JSON.stringify({ data: { id, pad }, metadata: { headers, domain: { kind: "EVENT" } } });
}

async function installed(config: string): Promise<Installation> {
  return await Installation.create(config, { domain: DOMAIN, program: IN_A_SMALL_HEAP });
}

async function once(installation: Installation): Promise<void> {
  const server = await installation.launch(["--once"]);
  await server.finished();
  assertEquals((await server.child.status).code, 0, (await server.log()).slice(-4000));
}

async function handled(installation: Installation): Promise<string[]> {
  const text = await Deno.readTextFile(`${installation.folder}/handled.log`);
  return text.trimEnd().split("\n").sort();
}

const PAD = "x".repeat(7_900_000);
const IDS = Array.from({ length: 100 }, (_, at) => `k${at}`);
const expected = (ids: readonly string[], pad: number) =>
  ["Idem", "Plain"].flatMap((name) => ids.map((id) => `${name} ${id} ${pad}`)).sort();

redisTest("a hundred messages of 7.9 MB are handled in a heap of 400 MB (Redis)", async () => {
  await using redis = await RedisServer.start();
  await using installation = await installed(onRedis(redis));
  const client = new Redis(redis.uri);
  for (const id of IDS) await client.xadd(STREAM, "*", "data", event(id, PAD));
  client.disconnect();
  await once(installation);
  assertEquals(await handled(installation), expected(IDS, PAD.length));
});

Deno.test("a hundred messages of 7.9 MB are handled in a heap of 400 MB (SQLite)", async () => {
  await using installation = await installed("");
  const broker = new SqliteBroker({
    ...{ name: "default", domain: "large", settings: {}, folder: installation.folder, clock: systemClock },
  });
  await broker.open();
  for (const id of IDS) await broker.publish([{ stream: STREAM, data: event(id, PAD) }]);
  await broker.close();
  await once(installation);
  assertEquals(await handled(installation), expected(IDS, PAD.length));
});

redisTest("what a dead process left of them is taken over in a heap of 400 MB (Redis)", async () => {
  await using redis = await RedisServer.start();
  await using installation = await installed(onRedis(redis));
  const client = new Redis(redis.uri);
  const some = IDS.slice(0, 40);
  for (const id of some) await client.xadd(STREAM, "*", "data", event(id, PAD));
  for (const name of ["Idem", "Plain"]) {
    const group = `large.${name}`;
    await client.xgroup("CREATE", STREAM, group, "0");
    await client.callBuffer("XREADGROUP", "GROUP", group, "dead", "COUNT", 100, "STREAMS", STREAM, ">");
  }
  client.disconnect();
  const server = await installation.start();
  await server.quiet();
  assertEquals(await server.end("SIGTERM"), 0);
  assertEquals([...new Set(await handled(installation))], expected(some, PAD.length));
});

redisTest(
  "an entry longer than the longest string is dead-lettered unread, and the next is handled",
  async () => {
    await using redis = await RedisServer.start();
    await using installation = await installed(onRedis(redis));
    const client = new Redis(redis.uri);
    const sizes = [536_870_905, 95_000_000];
    for (const size of sizes) await client.xadd(STREAM, "*", "data", Buffer.alloc(size, 1));
    await client.xadd(STREAM, "*", "data", event("after"));
    await once(installation);
    // At least once: half a gigabyte may take longer than an answer may.
    assertEquals([...new Set(await handled(installation))], expected(["after"], 0));
    const letters = await client.xrange(`${STREAM}:dlq`, "-", "+");
    client.disconnect();
    assertEquals(letters.length, 4);
    for (const [, [, data = ""]] of letters) {
      const { raw, _dlq_metadata: facts } = JSON.parse(data);
      assert(sizes.includes(facts.truncated_bytes));
      assertEquals([facts.error_type, facts.sha256.length, raw.length], ["MessageTooLarge", 64, 65_536]);
    }
    const listed = await installation.command(["dlq", "list", "--json"]);
    assertEquals(listed.code, 0, listed.err);
    const [letter] = JSON.parse(listed.out).data.messages;
    const replayed = await installation.command(["dlq", "replay", letter.dlq_id]);
    assertEquals(replayed.code, 1);
    // The sentence, and the line of the audit.
    for (const line of replayed.err.split("\n")) assertLess(line.length, 400, line);
  },
);
