/** `observatory` from outside: beside a server, before one, and against who is no friend. */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { Installation, type RunningServer } from "./server.ts";

/** A running observatory is heard of when its log says where. */
async function listening(observatory: RunningServer): Promise<void> {
  await observatory.until(
    async () => (await observatory.log()).includes('"observatory.listening"'),
    "the observatory to listen",
  );
}

/** What a bare connection is answered, to its end. */
async function raw(port: number, text: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text));
  return await new Response(conn.readable).text();
}

Deno.test("the observatory answers before there is a server, sees one come, and ends at once", async () => {
  await using installation = await Installation.create();
  const port = freePort();
  const observatory = await installation.launch(["--port", String(port)], port, {}, "observatory");
  await listening(observatory);
  const { body } = await observatory.probe("/api/health");
  assertEquals(body["status"], "healthy");
  assertEquals(body["server"], {
    running: false,
    workers: 0,
    reason: "No server of 'my_domain' has announced itself.",
  });
  assertEquals((await observatory.probe("/api/dlq")).body, { entries: [], total_count: 0 });

  const server = await installation.start();
  const sent = await installation.command(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":10}']);
  assertEquals(sent.code, 0, sent.err);
  await server.quiet();
  type Row = { handler_name: string; lag: number; workers?: { running: number } };
  type Shown = { subscriptions?: Row[]; summary: { total_dlq: number } };
  await observatory.until(async () => {
    const shown = (await observatory.probe("/api/subscriptions")).body["my_domain"] as Shown;
    return shown.subscriptions?.find(({ handler_name }) => handler_name === "OrderEventHandler")?.workers
          ?.running === 1 && shown.summary.total_dlq === 0;
  }, "the server's work to be seen");
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assertStringIncludes(metrics, 'protean_engine_workers{domain="my_domain"} 1\n');
  assertStringIncludes(metrics, "protean_subscription_dlq_depth{");
  const { counts } = (await observatory.probe("/api/outbox")).body["my_domain"] as { counts: object };
  assertEquals(Object.keys(counts), ["pending", "processing", "published", "failed", "abandoned"]);

  // Slow clients, clients with too much to say, and what is not there.
  using stalled = await Deno.connect({ hostname: "127.0.0.1", port });
  await stalled.write(new TextEncoder().encode("GET /metrics HT"));
  const statusOf = async (text: string) => (await raw(port, text)).split("\r\n", 1)[0];
  assertEquals(
    await statusOf(`GET /metrics HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`),
    "HTTP/1.1 431 Request Header Fields Too Large",
  );
  assertEquals(await statusOf("nonsense\r\n\r\n"), "HTTP/1.1 400 Bad Request");
  assertEquals(
    await statusOf("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    "HTTP/1.1 403 Forbidden",
  );
  assertEquals(
    await statusOf("DELETE /api/dlq HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "HTTP/1.1 405 Method Not Allowed",
  );
  assertEquals(await statusOf("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 404 Not Found");
  assertEquals(
    (await raw(port, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")).split("\r\n\r\n")[1],
    "",
  );

  const began = performance.now();
  assertEquals(await observatory.end("SIGTERM"), 0, await observatory.log());
  assertLess(performance.now() - began, 2_000);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

Deno.test("off loopback it asks for the token, and does not start without one or on a port that is taken", async () => {
  await using installation = await Installation.create();
  const refused = await installation.command(["observatory", "--host", "0.0.0.0", "--port", "0"]);
  assertEquals(refused.code, 2, refused.err);
  assertStringIncludes(refused.err, "set [observatory] token or --token");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port: busy } = taken.addr as Deno.NetAddr;
  const full = await installation.command(["observatory", "--port", String(busy)]);
  assertEquals(full.code, 2, full.err);
  assertStringIncludes(full.err, `Cannot listen on 127.0.0.1:${busy} for the observatory`);

  const port = freePort();
  const args = ["--host", "0.0.0.0", "--port", String(port), "--token", "s3cret"];
  const observatory = await installation.launch(args, port, {}, "observatory");
  await listening(observatory);
  for (const [authorization, status] of [["Bearer s3cret", 200], ["Bearer other", 401], ["", 401]] as const) {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization } });
    await response.body?.cancel();
    assertEquals(response.status, status, authorization);
  }
  assertEquals(await observatory.end("SIGINT"), 0, await observatory.log());
});
