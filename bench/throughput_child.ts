/**
 * One run of `throughput_bench.ts` in a process of its own, with the library of a working copy, so that two
 * commits are compared by the same code: the stream is filled already, and every message is handled by a
 * handler that puts one row of a view and is marked. Prints the messages per second of the second half, and
 * the CPU that a message of it took in this process. `deno run -A bench/throughput_child.ts '<JSON>'`
 *
 * @module
 */
import { z } from "zod";

/** What the parent says. */
export interface Run {
  /** Folder of the working copy. */
  readonly root: string;
  readonly database: string;
  readonly redis: string;
  readonly messages: number;
  readonly concurrency: number;
  /** Messages that a batch handler takes at once; without it each is handled by itself. */
  readonly batch?: number;
  /** Further keys of the database's table. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What is printed, as JSON. */
export interface Measured {
  /** Messages a second. */
  readonly rate: number;
  /** Microseconds a message. */
  readonly cpu: number;
}

if (import.meta.main) {
  const { root, database, redis, messages, concurrency, batch, settings } = JSON.parse(
    Deno.args[0] ?? "{}",
  ) as Run;
  const { Domain, Engine, on, onBatch } = await import(
    `${root}/lib/mod.ts`
  ) as typeof import("../lib/mod.ts");
  const { runtimeOf } = await import(
    `${root}/lib/domain/runtime.ts`
  ) as typeof import("../lib/domain/runtime.ts");
  const domain = new Domain("bench");
  const schema = z.object({ id: z.string(), n: z.number(), text: z.string() });
  const Item = domain.aggregate("Item", { schema });
  const Added = domain.event("Added", { partOf: Item, schema });
  const Row = domain.projection("Row", { schema });
  const done = Promise.withResolvers<Measured>();
  const half = messages / 2;
  let [seen, began, cpu] = [0, 0, process()];
  const counted = (count: number) => {
    if (seen < half && seen + count >= half) [began, cpu] = [performance.now(), process()];
    seen += count;
  };
  const finished = () => {
    if (seen < messages) return;
    const ms = performance.now() - began;
    done.resolve({ rate: half / ms * 1000, cpu: (process() - cpu) * 1000 / half });
  };
  domain.projector("Rows", {
    projection: Row,
    idempotent: true,
    concurrency,
    subscriptionConfig: { messagesPerTick: 2 * Math.max(concurrency, batch ?? 1) },
    streamCategories: ["bench::item"],
    handles: [
      batch === undefined
        ? on(Added, async (event, ctx) => {
          counted(1);
          await ctx.view(Row).put(event);
          finished();
        })
        : onBatch(Added, { size: batch, maxWaitMs: 50 }, async (events, ctx) => {
          counted(events.length);
          for (const event of events) await ctx.view(Row).put(event);
          finished();
        }),
    ],
  });
  await domain.init({
    config: {
      databases: { default: { provider: "postgresql", database_uri: database, ...settings } },
      brokers: { default: { provider: "redis", URI: redis } },
      caches: { default: { provider: "memory" } },
      server: {
        health: { enabled: false },
        stream_subscription: { blocking_timeout_ms: 1000 },
      },
    },
  });
  const { providers, tables } = runtimeOf(domain);
  await providers.get("default")?.setup("all", tables.get("default") ?? []);
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  const measured = await done.promise;
  stop.abort();
  await running;
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(measured)));
}

/** CPU of this process so far, in ms. */
function process(): number {
  const [, after = ""] = Deno.readTextFileSync("/proc/self/stat").split(") ");
  const fields = after.split(" ");
  // In hundredths of a second.
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
