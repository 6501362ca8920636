/** One interface hears of all that a running domain does, and nothing is made where nobody listens. */
import { assert, assertEquals } from "@std/assert";
import { Domain, Engine, on, type TraceParent } from "@protean/server";
import { z } from "zod";
import { observed } from "../../../lib/adapters/observed.ts";
import type { Observer } from "../../../lib/domain/observer.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import type { StartOptions } from "../../../lib/domain/startup.ts";

const memory = {
  databases: { default: { provider: "memory" } },
  brokers: { default: { provider: "memory" } },
  caches: { default: { provider: "memory" } },
  event_store: { provider: "memory" },
  server: { health: { enabled: false }, stream_subscription: { max_retries: 1 } },
};

/** The options of the engine and the harness, which `init` takes as well. */
function start(domain: Domain, observer: Observer): Promise<void> {
  const options: StartOptions = { config: memory, observer };
  return domain.init(options);
}

function jobs() {
  const domain = new Domain("jobs");
  const schema = z.object({ id: z.string() });
  const Job = domain.aggregate("Job", { schema });
  const Begun = domain.event("Begun", { partOf: Job, schema });
  const Begin = domain.command("Begin", { partOf: Job, identity: "id", schema });
  domain.commandHandler("Commands", {
    partOf: Job,
    handles: [on(Begin, async ({ id }, ctx) => {
      if (id === "bad") throw new Error("no");
      await ctx.publish(Begun, { id });
    })],
  });
  domain.eventHandler("Events", { partOf: Job, handles: [on(Begun, () => {})] });
  return { domain, Begin };
}

Deno.test("deliveries, handlers, commits, publishing and commands are told to the observer, each once", async () => {
  const { domain, Begin } = jobs();
  const told: string[] = [];
  const calls = new Set<string>();
  const end = (what: string) => (error?: Error) => void told.push(error ? `${what}: ${error.message}` : what);
  const observer: Observer = {
    command: (type) => ({ ended: end(`command ${type}`) }),
    handler: (handler) => ({ ended: end(`handler ${handler}`) }),
    commit: (name) => (_messages, error) => end(`commit ${name}`)(error),
    subscription: ({ handler }) => ({
      happened: (event, count) => void told.push(`${handler} ${event} ${count}`),
    }),
    processor: ({ broker }) => ({
      happened: (event, count) => void told.push(`${broker} ${event} ${count}`),
    }),
    call: (kind, adapter, operation) => {
      calls.add(`${kind} ${adapter} ${operation}`);
      return undefined;
    },
  };
  await start(domain, observer);
  await domain.process(Begin, { id: "good" });
  await domain.process(Begin, { id: "bad" });
  assertEquals(await new Engine(domain, { once: true }).run(), 0);
  assertEquals(told.filter((line) => line.startsWith("command")), Array(2).fill("command Jobs.Begin.v1"));
  assertEquals(told.filter((line) => line.startsWith("handler")).sort(), [
    "handler Commands",
    "handler Commands: no",
    "handler Events",
  ]);
  for (
    const line of ["commit domain.process", "commit Commands", "Commands handled 1", "Commands failed 1"]
  ) {
    assert(told.includes(line), `${line} is missing in ${told}`);
  }
  assert(told.includes("Commands deadLettered 1") && told.includes("Events handled 1"), `${told}`);
  const published = told.filter((line) => line.startsWith("default published")).map((line) => line.at(-1));
  assertEquals(published.reduce((sum, count) => sum + Number(count), 0), 3);
  assert(calls.has("provider default session") && calls.has("broker default publish"), `${[...calls]}`);
});

Deno.test("what a handler writes carries the trace on that the observer has begun", async () => {
  const { domain, Begin } = jobs();
  const traceparent: TraceParent = { trace_id: "1".repeat(32), parent_id: "2".repeat(16), sampled: true };
  const seen: unknown[] = [];
  const observer: Observer = {
    handler: (handler, message) => {
      if (handler === "Events") seen.push(message.metadata.headers.traceparent);
      return { trace: { traceparent, tracestate: null }, ended: () => {} };
    },
  };
  await start(domain, observer);
  await domain.process(Begin, { id: "good" });
  await new Engine(domain, { once: true }).run();
  assertEquals(seen, [traceparent]);
});

Deno.test("without an observer of calls the adapters are the very ones", async () => {
  const { domain } = jobs();
  await using _ = domain;
  await start(domain, {});
  const broker = runtimeOf(domain).brokers.get("default");
  assertEquals(broker?.constructor.name.endsWith("Broker"), true);
});

Deno.test("an observed adapter keeps its private state, its errors and its identity", async () => {
  class Adapter {
    readonly #secret = 7;
    get twice() {
      return 2 * this.#secret;
    }
    secret() {
      return this.#secret;
    }
    fail(): Promise<never> {
      return Promise.reject(new RangeError("no"));
    }
  }
  const told: string[] = [];
  const adapter = observed(
    new Adapter(),
    (operation) => (error) => void told.push(`${operation} ${error?.message}`),
  );
  assertEquals([adapter.twice, adapter.secret(), adapter instanceof Adapter], [14, 7, true]);
  let message = "";
  await adapter.fail().catch((error) => message = error.message);
  assertEquals([message, told], ["no", ["secret undefined", "fail no"]]);
});

Deno.test("an observer that throws changes nothing of what it observes", async () => {
  const { domain, Begin } = jobs();
  let runs = 0;
  const broken = (): never => {
    throw new Error("an instrument failed");
  };
  const throwing: Observer = {
    command: () => ({ ended: broken }),
    handler: () => {
      runs++;
      return { ended: broken };
    },
    commit: () => broken,
    subscription: () => ({ happened: broken }),
    processor: broken,
    call: () => broken,
  };
  await start(domain, throwing);
  await domain.process(Begin, { id: "1" });
  const engine = new Engine(domain, { once: true });
  assertEquals(await engine.run(), 0);
  assertEquals(runs, 2);
  assertEquals(engine.subscriptions.map(({ counters }) => counters["failed"]), [0, 0]);
});

Deno.test("an observer that fails later, or whose trace does, changes nothing of what it observes", async () => {
  const { domain, Begin } = jobs();
  const broken = (): Promise<never> => Promise.reject(new Error("an instrument failed later"));
  const rejecting: Observer = {
    command: () => ({ ended: broken }),
    handler: () => ({
      get trace(): never {
        throw new Error("no trace");
      },
      ended: broken,
    }),
    commit: () => broken,
    subscription: () => ({ happened: broken }),
    processor: () => ({ happened: broken }),
    call: () => broken,
  };
  await start(domain, rejecting);
  await domain.process(Begin, { id: "1" });
  const engine = new Engine(domain, { once: true });
  assertEquals(await engine.run(), 0);
  assertEquals(engine.subscriptions.map(({ counters }) => counters["failed"]), [0, 0]);
});
