import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { engineRoutes } from "../../../lib/health/routes.ts";
import { HealthServer, type HealthServerOptions } from "../../../lib/health/server.ts";

const routes = engineRoutes(() => true, () => ({ shuttingDown: false, components: [] }));
const HOST = "127.0.0.1";

function serve(over: Partial<HealthServerOptions> = {}): HealthServer {
  return new HealthServer({ host: HOST, port: 0, routes, ...over });
}

/** Holds a port that nobody else can have. */
function occupy() {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  return { port: (listener.addr as Deno.NetAddr).port, free: () => listener.close() };
}

async function livez(port: number): Promise<string> {
  const response = await fetch(`http://${HOST}:${port}/livez`, { headers: { connection: "close" } });
  return `${response.status} ${await response.text()}`;
}

const ALIVE = '200 {"status":"ok","checks":{"event_loop":"responsive"}}';

Deno.test("the server answers on a real port and frees it when it stops", async () => {
  const freed: boolean[] = [];
  while (!freed.includes(true) && freed.length < 5) { // another test may be given the port in between
    const server = serve();
    await server.start();
    const { port } = await server.bound;
    assertEquals(await livez(port), ALIVE);
    await server.stop();
    assertEquals(server.address, undefined);
    freed.push(isFree(port));
  }
  assert(freed.includes(true), "no port was free again");
});

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: HOST, port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

Deno.test("a taken port does not keep the server from starting and is bound once it is free (S31)", async () => {
  const clock = new FakeClock();
  const { port, free } = occupy();
  const server = serve({ port, clock });
  await server.start();
  assertEquals(server.address, undefined);
  await clock.advance(5_000);
  assertEquals(server.address, undefined);
  free();
  await clock.advance(5_000);
  assertEquals(await livez((await server.bound).port), ALIVE);
  await server.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a taken port can be waited for in vain: stop still ends it", async () => {
  const clock = new FakeClock();
  const { port, free } = occupy();
  const server = serve({ port, clock });
  await server.start();
  await server.stop();
  assertEquals(clock.pending, 0);
  free();
});

Deno.test("with port_auto_increment a higher port is bound and reported (S31)", async () => {
  const { port, free } = occupy();
  const server = serve({ port, portAutoIncrement: true });
  await server.start();
  const address = await server.bound;
  assertGreater(address.port, port);
  assertLess(address.port, port + 100);
  assertEquals(await livez(address.port), ALIVE);
  await server.stop();
  free();
});

Deno.test("a taken port is a configuration error when the probes are required", async () => {
  const { port, free } = occupy();
  const server = serve({ port, required: true });
  const error = await assertRejects(() => server.start(), ConfigurationError, String(port));
  assertEquals(error.code, "HEALTH_PORT_TAKEN");
  await server.stop();
  free();
});

for (
  const [what, sent] of [
    ["nothing", ""],
    ["half a request", "GET /livez HTTP/1.1\r\nhost:"],
    ["no HTTP at all", "\0\x01\x02 hello\r\n\r\n"],
    ["one request and stays connected", "GET /livez HTTP/1.1\r\nhost: pod\r\n\r\n"],
  ] as const
) {
  Deno.test(`a client that sends ${what} neither breaks the server nor delays its stop`, async () => {
    const server = serve();
    await server.start();
    const { port } = await server.bound;
    const client = await Deno.connect({ hostname: HOST, port });
    if (sent) await client.write(new TextEncoder().encode(sent));
    assertEquals(await livez(port), ALIVE);
    const began = performance.now();
    await server.stop();
    assertLess(performance.now() - began, 1_000);
    client.close();
  });
}

Deno.test("the server can be started again after it has stopped", async () => {
  const server = serve();
  for (let life = 0; life < 2; life++) {
    await server.start();
    assert(server.address);
    assertEquals(await livez(server.address.port), ALIVE);
    await server.stop();
  }
});
