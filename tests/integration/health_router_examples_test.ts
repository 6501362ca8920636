/** The examples of `examples/health-router`, each as it is, over HTTP. */
import { assertEquals } from "@std/assert";
import { handler } from "../../examples/health-router/deno_serve.ts";
import { app as hono } from "../../examples/health-router/hono.ts";
import { domain } from "../../examples/health-router/shop.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

const IN_MEMORY = {
  config: {
    databases: { default: { provider: "memory" } },
    brokers: { default: { provider: "memory" } },
    caches: { default: { provider: "memory" } },
    event_store: { provider: "memory" },
  },
};

const READY = {
  status: "ok",
  checks: {
    ...{
      providers: { default: "ok" },
      brokers: { default: "ok" },
      event_store: "ok",
      caches: { default: "ok" },
    },
  },
};

interface Served extends AsyncDisposable {
  readonly port: number;
}

interface Example {
  readonly name: string;
  readonly prefix: string;
  readonly serve: () => Promise<Served>;
}

function denoServes(answer: (request: Request) => Promise<Response>): Served {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A process of its own: Oak ends with its program. */
async function oakServes(): Promise<Served> {
  const port = freePort();
  const file = new URL("../../examples/health-router/oak.ts", import.meta.url).pathname;
  const cwd = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--quiet", file],
    env: { PORT: `${port}` },
    ...{ cwd, stdout: "null", stderr: "null" },
  }).spawn();
  await until(
    async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/livez`, { headers: { connection: "close" } });
      await answer.body?.cancel();
      return true;
    },
    "Oak to listen",
    { within: 30_000 },
  );
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

const examples: readonly Example[] = [
  { name: "Deno.serve", prefix: "", serve: () => Promise.resolve(denoServes(handler)) },
  {
    name: "Hono",
    prefix: "/internal",
    serve: () => Promise.resolve(denoServes(async (request) => await hono.fetch(request))),
  },
  { name: "Oak", prefix: "", serve: oakServes },
];

for (const { name, prefix, serve } of examples) {
  Deno.test(`${name} answers the probes below '${prefix}', and its own routes`, async () => {
    await domain.init(IN_MEMORY);
    try {
      await using server = await serve();
      const ask = async (path: string, options: RequestInit = {}) => {
        const headers = { ...options.headers, connection: "close" };
        const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { ...options, headers });
        return { status: answer.status, text: await answer.text(), headers: answer.headers };
      };
      const live = await ask(`${prefix}/livez`);
      assertEquals([live.status, live.text], [200, '{"status":"ok","checks":{"application":"running"}}']);
      const ready = await ask(`${prefix}/readyz`, { headers: { "x-correlation-id": "c1" } });
      assertEquals([ready.status, JSON.parse(ready.text)], [200, READY]);
      assertEquals(ready.headers.get("x-correlation-id"), "c1");
      assertEquals((await ask(`${prefix}/readyz`, { method: "POST" })).status, 405);
      assertEquals((await ask("/orders", { method: "POST" })).status, 202);
      assertEquals((await ask("/unknown")).status, 404);
    } finally {
      await domain.close();
    }
  });
}
