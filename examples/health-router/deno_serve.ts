/**
 * The probes in an API of `Deno.serve`: what is no probe goes on to the API.
 *
 * @module
 */
import { createHealthRouter } from "@protean/server/health";
import { domain, OrderPlaced } from "./shop.ts";

const health = createHealthRouter(domain);

export async function handler(request: Request): Promise<Response> {
  const probe = await health(request);
  if (probe) return probe;
  if (request.method !== "POST") return new Response("Not Found", { status: 404 });
  await domain.publish(OrderPlaced, { id: crypto.randomUUID() });
  return new Response("Accepted", { status: 202 });
}

if (import.meta.main) {
  await domain.init();
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => stop.abort());
  const port = Number(Deno.env.get("PORT") ?? 8000);
  await Deno.serve({ port, signal: stop.signal }, handler).finished;
  await domain.close();
}
