/**
 * What a Redis says without having been asked and hangs up: in the error, whoever writes first.
 */
import { assertRejects, assertStringIncludes } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { BrokerUnavailableError, RefusedError } from "../../lib/errors.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";

type Refusal = new (message: string) => Error;

async function refusal(URI: string, kind: Refusal): Promise<string> {
  const options = { name: "default", domain: "shop", folder: "/", clock: systemClock };
  const broker = new RedisBroker({ ...options, settings: { URI } });
  try {
    return (await assertRejects(() => broker.ping(AbortSignal.timeout(10_000)), kind)).message;
  } finally {
    await broker.close();
  }
}

redisTest("a server that has reached maxclients is said to have, and what to do", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/redis.sock`;
  await using server = await RedisServer.start({ args: ["--unixsocket", path] });
  using only = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await only.write(new TextEncoder().encode("CONFIG SET maxclients 1\r\n"));
  await only.read(new Uint8Array(64));
  for (const uri of [server.uri, server.uri, `unix://${path}`]) {
    const message = await refusal(uri, BrokerUnavailableError);
    assertStringIncludes(message, "(ERR max number of clients reached: raise maxclients there");
  }
  await Deno.remove(folder, { recursive: true });
});

/** Answers every connection with `said` and hangs up, as Redis does in protected mode. */
async function unasked(said: string, work: (uri: string) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const talking = (async () => {
    for await (const connection of listener) {
      if (said !== "") await connection.write(new TextEncoder().encode(said));
      connection.close();
    }
  })();
  await work(`redis://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`);
  listener.close();
  await talking;
}

Deno.test("protected mode is a refusal, and what it says is not repeated at length", async () => {
  await unasked("-DENIED Redis is running in protected mode because\r\n", async (uri) => {
    const message = await refusal(uri, RefusedError);
    assertStringIncludes(message, "is in protected mode and takes no strangers: set a password there");
  });
});

Deno.test("a server that hangs up without a word, or with no error, stays unavailable", async () => {
  for (const said of ["", "+HELLO\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "x".repeat(5000)]) {
    await unasked(said, async (uri) => {
      assertStringIncludes(await refusal(uri, BrokerUnavailableError), "is not available (");
    });
  }
});
