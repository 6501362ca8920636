/**
 * The probes in Oak: a middleware before all routes.
 *
 * @module
 */
import { createHealthRouter } from "@protean/server/health";
import { Application } from "oak";
import { domain, OrderPlaced } from "./shop.ts";

const health = createHealthRouter(domain);

export const app = new Application();
app.use(async (ctx, next) => {
  const { method, url, headers } = ctx.request;
  const probe = await health(new Request(url, { method, headers: [...headers] }));
  if (!probe) return void await next();
  ctx.response.status = probe.status;
  for (const [name, value] of probe.headers) ctx.response.headers.set(name, value);
  ctx.response.body = await probe.text();
});
app.use(async (ctx) => {
  if (ctx.request.method !== "POST") return;
  await domain.publish(OrderPlaced, { id: crypto.randomUUID() });
  ctx.response.status = 202;
});

if (import.meta.main) {
  await domain.init();
  const stop = new AbortController();
  const end = async () => {
    stop.abort();
    await domain.close();
    Deno.exit(); // Oak waits for every client to close its connection.
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => void end());
  const port = Number(Deno.env.get("PORT") ?? 8000);
  await app.listen({ hostname: "127.0.0.1", port, signal: stop.signal });
}
