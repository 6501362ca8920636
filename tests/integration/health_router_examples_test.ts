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

interface Program extends Served {
  readonly child: Deno.ChildProcess;
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

/** The example `file` as a process of its own, which answers the probe at `path`. */
async function runs(file: string, path: string): Promise<Program> {
  const port = freePort();
  const program = new URL(`../../examples/health-router/${file}`, import.meta.url).pathname;
  const cwd = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--quiet", program],
    env: { PORT: `${port}` },
    ...{ cwd, stdout: "null", stderr: "null" },
  }).spawn();
  await until(
    async () => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
      await answer.body?.cancel();
      return true;
    },
    `${file} to listen`,
    { within: 30_000 },
  );
  return {
    ...{ port, child },
    [Symbol.asyncDispose]: async () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
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
  { name: "Oak", prefix: "", serve: () => runs("oak.ts", "/livez") },
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

for (
  const [file, path] of [["deno_serve.ts", "/livez"], ["hono.ts", "/internal/livez"], [
    "oak.ts",
    "/livez",
  ]] as const
) {
  Deno.test(`${file} ends at SIGTERM, though a client keeps its connection`, async () => {
    await using program = await runs(file, path);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: program.port });
    await client.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`));
    await client.read(new Uint8Array(4096));
    program.child.kill("SIGTERM");
    let ended: Deno.CommandStatus | undefined;
    void program.child.status.then((status) => ended = status);
    await until(() => ended !== undefined, `${file} to end`, { within: 10_000 });
    assertEquals([ended?.code, ended?.signal], [0, null]);
  });
}
