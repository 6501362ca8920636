import { assertEquals } from "@std/assert";
import { Domain } from "@protean/server";
import { createHealthRouter } from "@protean/server/health";

const MEMORY = {
  databases: { default: { provider: "memory" } },
  brokers: { default: { provider: "memory" } },
  caches: { default: { provider: "memory" } },
};

async function domainOnMemory(): Promise<Domain> {
  const domain = new Domain("shop");
  await domain.init({ config: MEMORY });
  return domain;
}

type Router = ReturnType<typeof createHealthRouter>;

async function ask(router: Router, path: string, init?: RequestInit): Promise<string | undefined> {
  const response = await router(new Request(`http://api${path}`, init));
  return response && `${response.status} ${await response.text()}`;
}

const ALIVE = '200 {"status":"ok","checks":{"application":"running"}}';
const BROKEN = '503 {"status":"degraded","checks":{}}';

Deno.test("the router answers the probes of an application from the first request on", async () => {
  await using domain = await domainOnMemory();
  const router = createHealthRouter(domain);
  assertEquals(await ask(router, "/livez"), ALIVE);
  assertEquals(await ask(router, "/healthz"), ALIVE);
  const ready = JSON.parse((await ask(router, "/readyz"))?.slice(4) ?? "");
  assertEquals(ready.status, "ok");
  assertEquals(ready.checks.providers, { default: "ok" });
  assertEquals(ready.checks.brokers, { default: "ok" });
  assertEquals(ready.checks.caches, { default: "ok" });
  assertEquals("shutting_down" in ready.checks || "subscriptions" in ready.checks, false);
});

Deno.test("the router leaves every other path to the program", async () => {
  await using domain = await domainOnMemory();
  const router = createHealthRouter(domain, { prefix: "/internal" });
  assertEquals(await ask(router, "/"), undefined);
  assertEquals(await ask(router, "/livez"), undefined);
  assertEquals(await ask(router, "/internal/livez"), ALIVE);
  assertEquals(
    await ask(router, "/internal/livez", { method: "POST" }),
    '405 {"error":"Method Not Allowed"}',
  );
});

Deno.test("a prefix is taken with and without its slashes", async () => {
  await using domain = await domainOnMemory();
  for (const prefix of ["/in/ternal", "in/ternal", "/in/ternal/", "in/ternal//"]) {
    assertEquals(await ask(createHealthRouter(domain, { prefix }), "/in/ternal/livez"), ALIVE, prefix);
  }
  for (const prefix of ["", "/"]) {
    assertEquals(await ask(createHealthRouter(domain, { prefix }), "/livez"), ALIVE);
  }
});

Deno.test("readiness is 503 before init and after close, liveness stays", async () => {
  const domain = new Domain("shop");
  const router = createHealthRouter(domain);
  assertEquals([await ask(router, "/readyz"), await ask(router, "/livez")], [BROKEN, ALIVE]);
  await domain.init({ config: MEMORY });
  assertEquals((await ask(router, "/readyz"))?.slice(0, 3), "200");
  await domain.close();
  assertEquals([await ask(router, "/readyz"), await ask(router, "/livez")], [BROKEN, ALIVE]);
});

for (
  const [headers, id] of [
    [{ "X-Correlation-ID": "c-1", "X-Request-ID": "r-1" }, "c-1"],
    [{ "X-Request-ID": "r-1" }, "r-1"],
    [{ "X-Request-ID": "x".repeat(500) }, null],
    [{}, null],
  ] as const
) {
  Deno.test(`the ids ${JSON.stringify(headers).slice(0, 60)} are given back as ${id}`, async () => {
    await using domain = await domainOnMemory();
    const response = await createHealthRouter(domain)(new Request("http://api/livez", { headers }));
    assertEquals(response?.headers.get("x-correlation-id"), id);
    assertEquals(response?.headers.get("x-request-id"), id);
  });
}

Deno.test("sec-probe-host: a request whose address is none is answered by its path, and never thrown at", async () => {
  const router = createHealthRouter(new Domain("shop"));
  for (
    const [url, status] of [["http://[::1/livez", 200], ["http://x:99999/livez?a", 200], [
      "http://[",
      undefined,
    ]]
  ) {
    const request = Object.defineProperty(new Request("http://api/"), "url", { value: url });
    assertEquals((await router(request))?.status, status);
  }
});
