/**
 * A server process whose handlers take batches. `die`: in its so many-th batch, half of which it has written by
 * then, the process kills itself.
 *
 * `deno run -A batches_worker.ts <config as JSON> [die]`
 *
 * @module
 */
import { Domain, Engine, on, onBatch, type Row } from "@protean/server";
import { z } from "zod";
import { runtimeOf } from "../../lib/domain/runtime.ts";

export const KEYS = 7;
/** It always fails. */
export const CULPRIT = 23;

export function batching(die = 0) {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const schema = z.object({ key: z.string(), n: z.number() });
  const Numbered = domain.event("Numbered", { partOf: Order, schema });
  const rows = z.object({ id: z.string(), numbers: z.array(z.number()) });
  const Batched = domain.projection("Batched", { schema: rows });
  const Projected = domain.projection("Projected", { schema: rows });
  let batches = 0;
  domain.eventHandler("Batches", {
    partOf: Order,
    idempotent: true,
    subscriptionConfig: { maxRetries: 2, retryDelaySeconds: 0.1, messagesPerTick: 50 },
    handles: [onBatch(Numbered, { size: 50, maxWaitMs: 100 }, async (events, ctx) => {
      // What was found pending comes alone.
      if (events.length > 1) batches++;
      const known = await ctx.view(Batched).getMany(events.map(({ key }) => key));
      const numbers = new Map([...known].map(([key, row]) => [key, row.numbers]));
      for (const [place, { key, n }] of events.entries()) {
        numbers.set(key, [...numbers.get(key) ?? [], n]);
        await ctx.view(Batched).put({ id: key, numbers: numbers.get(key) ?? [] });
        if (die > 0 && batches === die && place + 1 >= events.length / 2) Deno.kill(Deno.pid, "SIGKILL");
        if (n === CULPRIT) throw new Error(`not ${n}`);
      }
    })],
  });
  domain.projector("Projects", {
    projection: Projected,
    idempotent: true,
    batch: 50,
    subscriptionConfig: { maxRetries: 2, retryDelaySeconds: 0.1, messagesPerTick: 50 },
    handles: [on(Numbered, async ({ key, n }, ctx) => {
      const row = await ctx.view(Projected).get(key);
      await ctx.view(Projected).put({ id: key, numbers: [...row?.numbers ?? [], n] });
      if (n === CULPRIT) throw new Error(`not ${n}`);
    })],
  });
  return { domain, Numbered, Batched, Projected };
}

export type Batching = ReturnType<typeof batching>;

/** Initialised, with its tables. */
export async function opened(config: Row, die = 0): Promise<Batching> {
  const made = batching(die);
  await made.domain.init({ config });
  const { providers, tables } = runtimeOf(made.domain);
  for (const [name, provider] of providers) await provider.setup("all", tables.get(name) ?? []);
  return made;
}

if (import.meta.main) {
  const [config = "{}", die = "0"] = Deno.args;
  const stop = new AbortController();
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  const { domain } = await opened(JSON.parse(config), Number(die));
  await new Engine(domain).run({ signal: stop.signal });
}
