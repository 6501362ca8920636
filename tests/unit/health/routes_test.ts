import { assertEquals } from "@std/assert";
import { engineRoutes, respond } from "../../../lib/health/routes.ts";

let alive = true;
const routes = engineRoutes(() => alive, () => ({ shuttingDown: false, components: [] }));

async function ask(method: string, path: string, from = routes) {
  const response = respond(new Request(`http://pod:8080${path}`, { method }), from);
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertEquals(response.headers.get("content-type"), "application/json");
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const LIVE = '{"status":"ok","checks":{"event_loop":"responsive"}}';
const READY = '{"status":"ok","checks":{"shutting_down":false,"draining":false}}';

for (
  const [method, path, status, body] of [
    ["GET", "/livez", 200, LIVE],
    ["GET", "/healthz", 200, LIVE],
    ["GET", "/readyz", 200, READY],
    ["GET", "/readyz?verbose", 200, READY],
    ["GET", "/nope", 404, '{"error":"Not Found"}'],
    ["GET", "/", 404, '{"error":"Not Found"}'],
    ["GET", "/livez/", 404, '{"error":"Not Found"}'],
    ["POST", "/livez", 405, '{"error":"Method Not Allowed"}'],
    ["DELETE", "/readyz", 405, '{"error":"Method Not Allowed"}'],
    ["HEAD", "/livez", 200, ""],
    ["HEAD", "/nope", 404, ""],
  ] as const
) {
  Deno.test(`${method} ${path} answers ${status}`, async () => {
    const answer = await ask(method, path);
    assertEquals([answer.status, answer.text], [status, body]);
  });
}

Deno.test("HEAD has the headers of GET", async () => {
  const [head, get] = [await ask("HEAD", "/readyz"), await ask("GET", "/readyz")];
  assertEquals([...head.headers], [...get.headers]);
  assertEquals(head.headers.get("content-length"), String(READY.length));
});

Deno.test("405 names the methods that are allowed", async () => {
  assertEquals((await ask("PUT", "/livez")).headers.get("allow"), "GET, HEAD");
});

Deno.test("a blocked loop answers 503 on /livez and /healthz", async () => {
  alive = false;
  for (const path of ["/livez", "/healthz"]) {
    const answer = await ask("GET", path);
    assertEquals([answer.status, answer.text], [
      503,
      '{"status":"unavailable","checks":{"event_loop":"blocked"}}',
    ]);
  }
  alive = true;
});

Deno.test("a probe whose handler throws answers 503 with empty checks (S32)", async () => {
  const broken = engineRoutes(() => true, () => {
    throw new Error("boom");
  });
  const answer = await ask("GET", "/readyz", broken);
  assertEquals([answer.status, answer.text], [503, '{"status":"degraded","checks":{}}']);
});
