import { assert, assertEquals } from "@std/assert";
import { engineRoutes } from "../../lib/health/routes.ts";
import { HealthServer } from "../../lib/health/server.ts";
import fc from "../support/property.ts";
import { fuzz } from "./fuzz.ts";
import { mutated } from "./mutations.ts";

const HOST = "127.0.0.1";
const ALIVE = '{"status":"ok","checks":{"event_loop":"responsive"}}';
/** What the code can mean to say; 408, 413 and 501 would be as well. */
const MEANT = new Set([200, 400, 404, 405, 408, 413, 431, 501, 503]);

const methods = ["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "PRI", "get", "G\tT", "", "GET GET", "é"];
const targets = [
  ...[
    "/livez",
    "/readyz",
    "/healthz",
    "/",
    "*",
    "",
    "//livez",
    "/livez?a=b",
    "/livez#x",
    "/%6civez",
    "/livez/..",
  ],
  ...[
    "http://x/livez",
    "http://:0/livez",
    "http://[::1/readyz",
    "x:443",
    "/\0",
    "/livez HTTP/1.1",
    "/".repeat(20_000),
  ],
];
const versions = [
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.9",
  "HTTP/2.0",
  "HTTP/0.9",
  "http/1.1",
  "HTTP/1.1 ",
  "",
  "ICY",
];
const fields = [
  ...[
    "Host: x",
    "Host: [::1",
    "Host: x:99999",
    "Host:",
    "Host: a\r\nHost: b",
    "host : x",
    " Host: x",
    ": x",
    "x",
  ],
  ...[
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 5\r\nContent-Length: 6",
    "Expect: 100-continue",
  ],
  ...[
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "Connection: keep-alive",
  ],
  ...[
    "Upgrade: h2c",
    "X: \x7f",
    "X: \0",
    "X: é",
    "X: a\r\n b",
    `X: ${"y".repeat(17_000)}`,
    "X: a\rb",
    "Range: bytes=0-",
  ],
];
const ends = [
  "\r\n\r\n",
  "\n\n",
  "\r\n",
  "\r\r",
  "",
  "\r\n\r\nhello",
  "\r\n\r\n0\r\n\r\n",
  "\r\n\r\nGET /livez HTTP/1.1\r\n\r\n",
];

const built = fc.record({
  method: fc.constantFrom(...methods),
  target: fc.oneof(fc.constantFrom(...targets), fc.webPath()),
  version: fc.constantFrom(...versions),
  lines: fc.array(fc.constantFrom(...fields), { maxLength: 4 }),
  newline: fc.constantFrom("\r\n", "\r\n", "\n"),
  end: fc.constantFrom(...ends),
}).map(({ method, target, version, lines, newline, end }) =>
  [`${method} ${target} ${version}`, ...lines].join(newline) + end
);

const TOKENS = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  " ",
  "\t",
  "\0",
  ":",
  "HTTP/1.1",
  "GET ",
  "/livez",
  "\x16\x03\x01",
  "\xff",
];
const requests = fc.oneof(
  built,
  mutated(
    fc.oneof(built, fc.constant("GET /livez HTTP/1.1\r\nHost: pod\r\nUser-Agent: kube-probe/1.31\r\n\r\n")),
    TOKENS,
  ),
  // TLS and HTTP/2 begin like this.
  fc.uint8Array({ maxLength: 300 }).map((bytes) => `\x16\x03\x01${String.fromCharCode(...bytes)}`),
  fc.constant("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
);

interface Client {
  readonly request: string;
  /** Where the request is divided, from 0 to 1. */
  readonly cut: number;
  /** It hangs up without listening. */
  readonly rude: boolean;
}

const clients: fc.Arbitrary<Client> = fc.record({
  request: requests,
  cut: fc.constantFrom(0, 0.1, 0.5, 0.9),
  rude: fc.nat(9).map((n) => n === 0),
});

let server: HealthServer | undefined;
Deno.test.afterAll(async () => await server?.stop());

async function port(): Promise<number> {
  if (!server) {
    server = new HealthServer({
      host: HOST,
      port: 0,
      routes: engineRoutes(() => true, () => ({ shuttingDown: false, components: [] })),
    });
    await server.start();
  }
  return (await server.bound).port;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (unit) => unit.charCodeAt(0));
}

/** What comes back until the server hangs up; undefined where nobody listens for it. */
async function heard({ request, cut, rude }: Client): Promise<string | undefined> {
  using connection = await Deno.connect({ hostname: HOST, port: await port() });
  connection.setNoDelay(true);
  const middle = Math.floor(request.length * cut);
  for (const piece of [request.slice(0, middle), request.slice(middle)]) {
    await send(connection, bytesOf(piece));
  }
  if (rude) return undefined;
  await connection.closeWrite();
  let text = "";
  const bytes = new Uint8Array(65_536);
  for (let count = await connection.read(bytes); count !== null; count = await connection.read(bytes)) {
    text += new TextDecoder("latin1").decode(bytes.subarray(0, count));
  }
  return text;
}

async function send(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

fuzz(
  "the probe port answers any client as it means to, and goes on",
  { runs: 16_000, share: 1 / 6 },
  clients,
  async (client) => {
    const answer = await heard(client);
    if (answer !== undefined && answer !== "") {
      const [, status, head = "", body = ""] =
        /^HTTP\/1\.1 (\d{3}) [A-Za-z ]+\r\n(.*?\r\n)\r\n(.*)$/s.exec(answer) ?? [];
      assert(MEANT.has(Number(status)), answer);
      const length = Number(/^content-length: (\d+)\r$/m.exec(head)?.[1]);
      // A body less is an answer to HEAD; and nothing more than one answer comes back.
      assert(body.length === length || body === "" && /HEAD/.test(client.request), answer);
      if (body !== "") assertEquals(typeof JSON.parse(body), "object");
    }
    // A whole head is always answered.
    if (answer === "") assert(!/\r?\n\r?\n/.test(client.request.trimStart()), "no answer");
    const alive = await heard({ request: "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", cut: 0, rude: false });
    assert(alive?.startsWith("HTTP/1.1 200 OK\r\n") && alive.endsWith(ALIVE), alive);
  },
);
