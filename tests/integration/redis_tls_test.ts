/**
 * TLS to Redis. Trust is the process's own, so the client runs in one of its own with the test's authority in
 * `DENO_CERT`.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { certify, opensslAvailable } from "../support/certificates.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";

/** Runs as the client process: publishes, reads blocking, cuts a read, and tells what it saw. */
async function client(uri: string): Promise<unknown> {
  const options = {
    name: "default",
    domain: "shop",
    settings: { URI: uri },
    folder: Deno.cwd(),
    clock: systemClock,
  };
  const broker = new RedisBroker(options);
  try {
    await broker.open();
    await broker.publish([{ stream: "s", data: "x".repeat(100_000) }]);
    const group = broker.group({ stream: "s", group: "g", consumer: "c" });
    await group.ensure();
    const read = await group.read({ count: 1, blockMs: 1000 });
    const cut = await group.read({ count: 1, blockMs: 60_000, signal: AbortSignal.timeout(20) });
    return { read: read.map(({ data }) => data?.length), cut };
  } catch (error) {
    return { error: String(error) };
  } finally {
    await broker.close();
  }
}

async function run(uri: string, authority?: string): Promise<{ error?: string }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, uri],
    env: authority === undefined ? {} : { DENO_CERT: authority },
    stderr: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const answer = await client(Deno.args[0] ?? "");
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(answer)));
} else {
  Deno.test({
    name: "rediss:// talks TLS to a server whose authority is trusted, and to no other",
    ignore: !redisAvailable || !opensslAvailable,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      try {
        await certify(folder);
        await using server = await RedisServer.start({ tls: folder });
        const uri = `rediss://127.0.0.1:${server.tlsPort}/0`;
        assertEquals<unknown>(await run(uri, `${folder}/ca.pem`), { read: [100_000], cut: [] });
        const { error = "" } = await run(uri);
        assertEquals(error.includes("certificate"), true, error);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
