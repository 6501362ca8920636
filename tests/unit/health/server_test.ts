import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { engineRoutes } from "../../../lib/health/routes.ts";
import { MAX_CONNECTIONS, MOST_CONNECTIONS } from "../../../lib/health/probe_connections.ts";
import { until } from "../../support/until.ts";
import { HealthServer, type HealthServerOptions, type ProbeListener } from "../../../lib/health/server.ts";

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

Deno.test("where the host is not ours nobody is told to free a port", async () => {
  const notOurs = serve({ host: "192.0.2.1", port: 8080, required: true });
  const error = await assertRejects(() => notOurs.start(), ConfigurationError);
  assert(/\): set \[server.health\] host and port\.$/.test(error.message), error.message);
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

/** What comes back for these bytes, sent in `pieces`, until the server hangs up. */
async function raw(port: number, ...pieces: string[]): Promise<string> {
  using client = await Deno.connect({ hostname: HOST, port });
  client.setNoDelay(true);
  for (const piece of pieces) await client.write(Uint8Array.from(piece, (unit) => unit.charCodeAt(0)));
  return await heard(client);
}

async function heard(client: Deno.TcpConn): Promise<string> {
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(65_536);
  let text = "";
  for (let count = await client.read(bytes); count !== null; count = await client.read(bytes)) {
    text += decoder.decode(bytes.subarray(0, count), { stream: true });
  }
  return text;
}

const head = (line: string, ...fields: string[]) =>
  [line, ...fields].map((one) => `${one}\r\n`).join("") + "\r\n";

for (
  const [what, request, status] of [
    ["a Host that is no address (sec-probe-host)", head("GET /livez HTTP/1.1", "Host: [::1"), 200],
    ["a Host with an impossible port (sec-probe-host)", head("GET /livez HTTP/1.1", "Host: x:99999"), 200],
    ["an address without a host (sec-probe-host)", head("GET http://:0/livez HTTP/1.1", "Host: x"), 200],
    ["an address as a target", head("GET http://x/livez?a=b HTTP/1.1", "Host: x"), 200],
    ["no Host", head("GET /livez HTTP/1.0"), 200],
    ["line ends without a carriage return", "GET /livez HTTP/1.1\nHost: x\n\n", 200],
    [
      "a body that nobody reads",
      head("POST /livez HTTP/1.1", "Content-Length: 100000") + "x".repeat(100_000),
      405,
    ],
    ["a second request behind it", head("GET /nope HTTP/1.1") + head("GET /livez HTTP/1.1"), 404],
    ["an empty line before it", "\r\n" + head("GET /livez HTTP/1.1", "Host: x"), 200],
    ["bytes beyond ASCII in a field", head("GET /livez HTTP/1.1", "User-Agent: \xe2\x82\xac \x81"), 200],
    ["a method in small letters", head("get /livez HTTP/1.1"), 405],
    ["a version to come", head("GET /livez HTTP/1.2"), 200],
    ["two hosts", head("GET /livez HTTP/1.1", "Host: a", "Host: b"), 200],
    ["no version", head("GET /livez"), 400],
    ["no HTTP", head("hello"), 400],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["a field with a blank before its colon", head("GET /livez HTTP/1.1", "Host : x"), 400],
    ["a field on two lines", head("GET /livez HTTP/1.1", "A: b", " c"), 400],
    ["a NUL", head("GET /livez HTTP/1.1", "A: \0"), 400],
    ["a head without an end", "GET /livez HTTP/1.1\r\nA: " + "x".repeat(20_000), 431],
  ] as const
) {
  Deno.test(`a request with ${what} is answered ${status}, in one piece or in many`, async () => {
    const server = serve();
    await server.start();
    const { port } = await server.bound;
    const whole = await raw(port, request);
    assertEquals(whole.slice(0, 13), `HTTP/1.1 ${status} `, whole);
    assertEquals(whole.split("HTTP/1.1 ").length, 2, whole);
    if (request.length < 200) assertEquals(await raw(port, ...request), whole);
    await server.stop();
  });
}

Deno.test("a HEAD is answered without a body", async () => {
  const server = serve();
  await server.start();
  const text = await raw((await server.bound).port, head("HEAD /livez HTTP/1.1", "Host: x"));
  assert(text.endsWith("\r\n\r\n") && text.includes("content-length: 52\r\n"), text);
  await server.stop();
});

Deno.test("a client that only holds its connection, or half a request, is hung up on after 5 s (M6)", async () => {
  const clock = new FakeClock();
  const server = serve({ clock });
  await server.start();
  const { port } = await server.bound;
  const clients = await Promise.all(["", "GET /livez HTTP/1.1\r\nhost:"].map(async (sent) => {
    const client = await Deno.connect({ hostname: HOST, port });
    if (sent) await client.write(new TextEncoder().encode(sent));
    return client;
  }));
  // Taken in the order in which they came.
  assertEquals(await livez(port), ALIVE);
  await clock.advance(5_000);
  for (const client of clients) {
    assertEquals(await heard(client), "");
    client.close();
  }
  await server.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("any number of clients that hold connections leaves room for a probe (M6)", async () => {
  const clock = new FakeClock();
  const server = serve({ clock });
  await server.start();
  const { port } = await server.bound;
  const clients: Deno.TcpConn[] = [];
  for (let count = 0; count < MOST_CONNECTIONS + 20; count++) {
    clients.push(await Deno.connect({ hostname: HOST, port }));
  }
  let answer: string | undefined;
  void livez(port).then((text) => answer = text);
  const began = clock.monotonic();
  await until(async () => {
    await clock.advance(20);
    return answer !== undefined;
  }, "the probe to be answered");
  assertEquals(answer, ALIVE);
  assertLess(clock.monotonic() - began, 5_000, "they were hung up on only when their time was over");
  // The oldest made room.
  assertEquals(await heard(clients[0] as Deno.TcpConn), "");
  await server.stop();
  for (const client of clients) client.close();
  assertEquals(clock.pending, 0);
});

Deno.test("a flood does not push out a probe whose request comes a moment after its connection (M6)", async () => {
  const clock = new FakeClock();
  const server = serve({ clock });
  await server.start();
  const { port } = await server.bound;
  const probe = await Deno.connect({ hostname: HOST, port });
  const clients: Deno.TcpConn[] = [];
  for (let count = 0; count < 2 * MAX_CONNECTIONS; count++) {
    clients.push(await Deno.connect({ hostname: HOST, port }));
  }
  // The last one is taken, and so are those before it.
  const last = clients.at(-1) as Deno.TcpConn;
  const request = new TextEncoder().encode(head("GET /livez HTTP/1.1"));
  await last.write(request);
  assertEquals((await heard(last)).slice(0, 15), "HTTP/1.1 200 OK");
  await probe.write(request);
  assertEquals((await heard(probe)).slice(0, 15), "HTTP/1.1 200 OK");
  for (const client of [probe, ...clients]) client.close();
  await server.stop();
  assertEquals(clock.pending, 0);
});

/** A listener whose accept fails `failures` times with `error`, and is then the machine's. */
function failing(error: () => Error, failures: number) {
  const made: Deno.TcpListener[] = [];
  const listen = (options: { hostname: string; port: number }): ProbeListener => {
    const own = Deno.listen(options);
    made.push(own);
    return {
      addr: own.addr,
      accept: () => failures-- > 0 ? Promise.reject(error()) : own.accept(),
      close: () => own.close(),
    };
  };
  return { listen, made };
}

Deno.test("with no descriptor left the listener is kept, and takes the next connection 100 ms later (M6)", async () => {
  const clock = new FakeClock();
  const short = () => Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" });
  const { listen, made } = failing(short, 100);
  const server = serve({ clock, listen });
  await server.start();
  await clock.advance(10_000);
  assertEquals(await livez((await server.bound).port), ALIVE);
  assertEquals(made.length, 1);
  await server.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a listener that is lost is replaced within 100 ms (M6)", async () => {
  const clock = new FakeClock();
  const { listen, made } = failing(() => new Deno.errors.BadResource("Listener has been closed"), 1);
  const { port, free } = occupy();
  free();
  const server = serve({ clock, listen, port });
  await server.start();
  await clock.advance(100);
  assertEquals(made.length, 2);
  assertEquals(await livez(port), ALIVE);
  await server.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a listener that is lost again and again is replaced ever more slowly, every 5 s in the end (M6)", async () => {
  const clock = new FakeClock();
  const { listen, made } = failing(() => new Deno.errors.BadResource("Listener has been closed"), 1000);
  const server = serve({ clock, listen });
  await server.start();
  const after: number[] = [];
  for (let time = 100; time <= 30_000; time += 100) {
    const before = made.length;
    await clock.advance(100);
    if (made.length > before) after.push(time);
  }
  assertEquals(after, [100, 300, 700, 1500, 3100, 6300, 11_300, 16_300, 21_300, 26_300]);
  await server.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("on every address the probes answer both families (probe-ipv6)", async () => {
  const server = serve({ host: "::" });
  await server.start();
  const { port } = await server.bound;
  for (const host of ["127.0.0.1", "[::1]"]) {
    const response = await fetch(`http://${host}:${port}/livez`);
    assertEquals(`${response.status} ${await response.text()}`, ALIVE);
  }
  await server.stop();
});

/** A listener of a process that has descriptors for `most` connections. */
function short(most: number) {
  let open = 0;
  return (options: { hostname: string; port: number }): ProbeListener => {
    const own = Deno.listen(options);
    const accept = async () => {
      if (open >= most) throw Object.assign(new Error("Too many open files"), { code: "EMFILE" });
      const conn = await own.accept();
      open++;
      const close = conn.close.bind(conn);
      return Object.assign(conn, {
        close: () => {
          close();
          open--;
        },
      });
    };
    return { addr: own.addr, accept, close: () => own.close() };
  };
}

Deno.test("a flood that waits to be taken is let through at once where descriptors are short (M6)", async () => {
  const clock = new FakeClock();
  const server = serve({ clock, listen: short(3) });
  await server.start();
  const { port } = await server.bound;
  const clients: Deno.TcpConn[] = [];
  for (let count = 0; count < 50; count++) clients.push(await Deno.connect({ hostname: HOST, port }));
  // No time goes by.
  assertEquals(await livez(port), ALIVE);
  await server.stop();
  for (const client of clients) client.close();
  assertEquals(clock.pending, 0);
});
