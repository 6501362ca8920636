/**
 * The probes in Hono, below `/internal`: a middleware before all routes.
 *
 * @module
 */
import { createHealthRouter } from "@protean/server/health";
import { Hono } from "hono";
import { domain, OrderPlaced } from "./shop.ts";

const health = createHealthRouter(domain, { prefix: "/internal" });

export const app = new Hono();
app.use(async (c, next) => {
  const probe = await health(c.req.raw);
  return probe ?? await next();
});
app.post("/orders", async (c) => {
  await domain.publish(OrderPlaced, { id: crypto.randomUUID() });
  return c.text("Accepted", 202);
});

if (import.meta.main) {
  await domain.init();
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => stop.abort());
  const port = Number(Deno.env.get("PORT") ?? 8000);
  await Deno.serve({ port, signal: stop.signal }, app.fetch).finished;
  await domain.close();
}
