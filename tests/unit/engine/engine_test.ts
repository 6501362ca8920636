/**
 * A domain run in the test's own process: how it starts, when it ends by itself, and with which exit code
 * (design 7 and 9, S72).
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { setImmediate } from "node:timers";
import type { LogRecord } from "@logtape/logtape";
import { z } from "zod";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryCache } from "../../../lib/adapters/memory/cache.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { catchStrayErrors } from "../../../lib/cli/stray_errors.ts";
import {
  ConfigurationError,
  type Context,
  Domain,
  Engine,
  type EngineRunOptions,
  on,
  ProteanError,
  RetryAfter,
  UnavailableError,
} from "../../../lib/mod.ts";
import { IncorrectUsageError } from "../../../lib/errors.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import type { HealthSource } from "../../../lib/health/listener.ts";
import { freePort } from "../../support/free_port.ts";
import { logged } from "../../support/logged.ts";

/**
 * A job that is published when it is placed; `work` is what its handler does, `attempts` how often it may.
 */
function jobs(work: (id: string, ctx: Context) => unknown) {
  const domain = new Domain("jobs");
  const schema = z.object({ id: z.string() });
  const Job = domain.aggregate("Job", { schema });
  const JobPlaced = domain.event("JobPlaced", { partOf: Job, schema });
  const PlaceJob = domain.command("PlaceJob", { partOf: Job, schema });
  domain.commandHandler("Places", {
    partOf: Job,
    handles: [on(PlaceJob, async ({ id }, ctx) => {
      const job = Job.create({ id });
      job.raise(JobPlaced, { id });
      await ctx.repository(Job).add(job);
    })],
  });
  domain.eventHandler("Works", {
    partOf: Job,
    concurrency: 4,
    subscriptionConfig: { maxRetries: 2, retryDelaySeconds: 0 },
    handles: [on(JobPlaced, ({ id }, ctx) => work(id, ctx))],
  });
  return { domain, PlaceJob, JobPlaced };
}

const memory = (server: Record<string, unknown> = {}) => ({
  config: {
    databases: { default: { provider: "memory" } },
    brokers: { default: { provider: "memory" } },
    caches: { default: { provider: "memory" } },
    event_store: { provider: "memory" },
    server: { health: { enabled: false }, drain_timeout_seconds: 0, ...server },
  },
});

/** Lets go of a rejection, and waits until the process has noticed. */
async function letGo(error: Error): Promise<void> {
  const noticed = Promise.withResolvers<void>();
  globalThis.addEventListener("unhandledrejection", () => noticed.resolve(), { once: true });
  void Promise.reject(error);
  await noticed.promise;
}

/** Lets everything in memory that can go on do so: turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((next) => setImmediate(next));
}

/** Runs it as the command line does: what nobody handles ends the run. */
async function watched(engine: Engine, options: EngineRunOptions = {}): Promise<number> {
  using _strays = catchStrayErrors((error) => engine.fail(error));
  return await engine.run(options);
}

const named = (records: readonly LogRecord[], name: string) =>
  records.filter(({ rawMessage }) => rawMessage === name).map(({ properties }) => properties);

Deno.test("--once works off commands, the events they raise and what fails, then ends with 0", async () => {
  const worked: string[] = [];
  const { domain, PlaceJob } = jobs((id) => {
    worked.push(id);
    if (id === "bad") throw new Error("never");
  });
  await domain.init(memory());
  for (const id of ["a", "bad", "c"]) await domain.process(PlaceJob, { id });
  const engine = new Engine(domain, { once: true });
  assertEquals(await engine.run(), 0);
  assertEquals(worked.sort(), ["a", "bad", "bad", "c"]);
  const counters = engine.subscriptions.find(({ handler }) => handler === "Works")?.counters;
  assertEquals([counters?.handled, counters?.deadLettered], [2, 1]);
});

Deno.test("a domain that is closed under a running engine ends the run, as its signal does", async () => {
  const worked = Promise.withResolvers<string>();
  const { domain, PlaceJob } = jobs((id) => worked.resolve(id));
  await domain.init(memory());
  const running = new Engine(domain).run();
  await domain.process(PlaceJob, { id: "a" });
  assertEquals(await worked.promise, "a");
  assertEquals(await domain.close(), []);
  assert([0, 4].includes(await running), "what it had to hand back finds nobody there: 4 is honest");
});

Deno.test("--once does not wait for a circuit breaker: whatever fails in a row is dead-lettered", async () => {
  const { domain, PlaceJob } = jobs(() => {
    throw new Error("never");
  });
  await domain.init(memory());
  for (let id = 0; id < 30; id++) await domain.process(PlaceJob, { id: `${id}` });
  const engine = new Engine(domain, { once: true });
  assertEquals(await engine.run(), 0);
  const works = engine.subscriptions.find(({ handler }) => handler === "Works");
  assertEquals([works?.counters.deadLettered, works?.breaker], [30, "closed"]);
});

Deno.test("--once waits a short RetryAfter out, and leaves what is wanted much later, with what waits behind it", async () => {
  const times: Record<string, number> = {};
  const { domain, PlaceJob, JobPlaced } = jobs((id) => {
    times[id] = (times[id] ?? 0) + 1;
    if (id === "soon" && times[id] === 1) throw new RetryAfter(50, "busy");
    if (id === "later") throw new RetryAfter(3_600_000, "busy");
  });
  await domain.init(memory());
  for (const id of ["later", "soon", "good"]) await domain.process(PlaceJob, { id });
  await domain.publish(JobPlaced, { id: "later" });
  const engine = new Engine(domain, { once: true });
  const records = await logged(async () => assertEquals(await engine.run(), 0));
  assertEquals(times, { later: 1, soon: 2, good: 1 });
  assertEquals(named(records, "engine.left_postponed").map(({ handler, messages }) => [handler, messages]), [
    ["Works", 2],
  ]);
});

Deno.test("--once leaves a key whose next message is wanted much later, with what waits unread behind it", async () => {
  const domain = new Domain("jobs");
  const schema = z.object({ id: z.string() });
  const Job = domain.aggregate("Job", { schema });
  const JobPlaced = domain.event("JobPlaced", { partOf: Job, schema });
  const worked: string[] = [];
  domain.eventHandler("Works", {
    partOf: Job,
    sequentialBy: "id",
    handles: [on(JobPlaced, ({ id }) => {
      worked.push(id);
      if (id === "later") throw new RetryAfter(3_600_000, "busy");
    })],
  });
  await domain.init(memory());
  for (const id of ["later", "good", "later", "later"]) await domain.publish(JobPlaced, { id });
  assertEquals(await new Engine(domain, { once: true }).run(), 0);
  assertEquals(worked.toSorted(), ["good", "later"]);
});

Deno.test("--once with nothing to do ends with 0, and leaves the domain closed", async () => {
  const { domain, PlaceJob } = jobs(() => {});
  await domain.init(memory());
  assertEquals(await new Engine(domain, { once: true }).run(), 0);
  await assertRejects(() => domain.process(PlaceJob, { id: "late" }), IncorrectUsageError);
});

Deno.test("a signal ends --once although there is work left", async () => {
  const stop = new AbortController();
  const { domain, PlaceJob } = jobs((id) => {
    if (id === "a") stop.abort();
  });
  await domain.init(memory());
  for (const id of ["a", "b"]) await domain.process(PlaceJob, { id });
  assertEquals(await new Engine(domain, { once: true }).run({ signal: stop.signal }), 0);
});

Deno.test("a rejection that a handler let go of drains with exit 1, and the log says which, once", async () => {
  const { domain, PlaceJob } = jobs(async () => {
    await letGo(new Error("nobody caught me"));
    await letGo(new Error("me neither"));
  });
  await domain.init(memory({ drain_timeout_seconds: 10 }));
  await domain.process(PlaceJob, { id: "a" });
  const engine = new Engine(domain);
  const records = await logged(async () => assertEquals(await watched(engine), 1));
  assertEquals(named(records, "engine.failed").map(({ error }) => error), ["nobody caught me"]);
  const strays = named(records, "engine.stray_error");
  assertEquals(strays.map(({ error }) => error), ["nobody caught me", "me neither"]);
  assertStringIncludes(String(strays[0]?.["stack"]), "engine_test.ts");
  assertEquals(named(records, "engine.drained").map(({ cut }) => cut), [0]);
});

Deno.test("an exception that a timer threw drains with exit 1", async () => {
  const { domain, PlaceJob } = jobs(() => {
    setTimeout(() => {
      throw new Error("out of a timer");
    });
  });
  await domain.init(memory());
  await domain.process(PlaceJob, { id: "a" });
  const records = await logged(async () => assertEquals(await watched(new Engine(domain)), 1));
  assertEquals(named(records, "engine.failed").map(({ error }) => error), ["out of a timer"]);
});

/**
 * Runs a handler that lasts until it is cut and then lets go of a rejection; `before` is called while it
 * runs.
 */
async function cutRun(before: () => Promise<void> | void): Promise<number> {
  const stop = new AbortController();
  const { domain, PlaceJob } = jobs(async (_, { signal }) => {
    await before();
    stop.abort("SIGTERM");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await letGo(signal.reason);
    throw signal.reason;
  });
  await domain.init(memory());
  await domain.process(PlaceJob, { id: "a" });
  return await watched(new Engine(domain), { signal: stop.signal });
}

Deno.test("a rejection that is let go of because of the cut leaves the exit code at 4", async () => {
  const records = await logged(async () => assertEquals(await cutRun(() => {}), 4));
  assertEquals(named(records, "engine.failed"), []);
  const [stray] = named(records, "engine.stray_error_after_cut");
  assertStringIncludes(String(stray?.["error"]), "drain deadline");
});

Deno.test("a failure before the cut is exit 1, whatever is cut afterwards", async () => {
  assertEquals(await cutRun(() => letGo(new Error("before"))), 1);
});

class AwayCache extends MemoryCache {
  override ping(): Promise<void> {
    return Promise.reject(new UnavailableError("Nobody answers there."));
  }
}

Deno.test("a dependency that is away ends the start where it is required, named, and not where it is not", async () => {
  const away = () => {
    const { domain } = jobs(() => {});
    domain.registerAdapter("cache", "away", AwayCache);
    const options = memory();
    options.config.caches.default.provider = "away";
    return { domain, options };
  };
  const required = away();
  await required.domain.init(required.options);
  const error = await assertRejects(
    () => new Engine(required.domain, { requireDependencies: true }).run(),
    UnavailableError,
  );
  assertStringIncludes(error.message, "cache 'default': Nobody answers there.");
  assertEquals(await required.domain.close(), []);

  const waiting = away();
  await waiting.domain.init(waiting.options);
  assertEquals(await new Engine(waiting.domain, { once: true }).run(), 0);
});

Deno.test("a health port that is taken ends the start where it is required, and the engine runs once it is free", async () => {
  const port = freePort();
  const options = memory({ health: { enabled: true, host: "127.0.0.1", port } });
  const { domain } = jobs(() => {});
  const other = Deno.listen({ hostname: "127.0.0.1", port });
  await domain.init(options);
  const engine = new Engine(domain, { requireDependencies: true, once: true });
  try {
    const error = await assertRejects(() => engine.run(), ConfigurationError);
    assertEquals(error.code, "HEALTH_PORT_TAKEN");
  } finally {
    other.close();
  }
  await domain.init(options);
  assertEquals(await engine.run(), 0);
  assertEquals((await engine.listening).port, port);
});

Deno.test("an engine that has failed may be run again", async () => {
  let bad = true;
  const { domain, PlaceJob } = jobs(() => bad ? letGo(new Error("today only")) : undefined);
  const engine = new Engine(domain);
  await domain.init(memory());
  await domain.process(PlaceJob, { id: "a" });
  assertEquals(await watched(engine), 1);
  bad = false;
  await domain.init(memory());
  assertEquals(await engine.run({ signal: AbortSignal.abort() }), 0);
});

Deno.test("an engine that runs refuses a second run", async () => {
  const { domain } = jobs(() => {});
  await domain.init(memory());
  const engine = new Engine(domain);
  const stop = new AbortController();
  const running = engine.run({ signal: stop.signal });
  assert((await assertRejects(() => engine.run(), IncorrectUsageError)).message.includes("already"));
  stop.abort();
  assertEquals(await running, 0);
});

Deno.test("a handler that asks for an order which its broker cannot keep does not start", async () => {
  const { domain, JobPlaced } = jobs(() => {});
  domain.eventHandler("Bills", {
    streamCategory: "jobs::job",
    sequentialBy: "id",
    handles: [on(JobPlaced, () => {})],
  });
  await domain.init(memory());
  const broker = runtimeOf(domain).brokers.get("default");
  assert(broker);
  Object.defineProperty(broker, "partitions", { value: undefined });
  const error = await assertRejects(() => new Engine(domain, { once: true }).run(), ConfigurationError);
  assertEquals(error.problems.map(({ code, key }) => [code, key]), [[
    "CONFIG_NOT_SUPPORTED",
    "sequentialBy",
  ]]);
  assertStringIncludes(error.message, "Bills sets sequentialBy to 'id'");
});

Deno.test("settings without effect are told at the start, each by name", async () => {
  const { domain } = jobs(() => {});
  await domain.init(memory({ transient_retry: { max_retries: 2 }, dlq: { alert_threshold: 5 } }));
  const records = await logged(() => new Engine(domain, { once: true }).run());
  assertEquals(named(records, "config.no_effect").map(({ key }) => key), [
    "server.transient_retry.max_retries",
    "server.dlq.alert_threshold",
  ]);
});

Deno.test("an error that the host program lets go of is the host's: the engine runs on", async () => {
  const heard: unknown[] = [];
  const host = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    heard.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", host);
  try {
    const { domain } = jobs(() => {});
    await domain.init(memory());
    const stop = new AbortController();
    const running = new Engine(domain).run({ signal: stop.signal });
    const error = new Error("the host's own");
    await letGo(error);
    stop.abort();
    assertEquals(await running, 0);
    assertEquals(heard, [error]);
  } finally {
    globalThis.removeEventListener("unhandledrejection", host);
  }
});

Deno.test("of two engines in one program only the one that was told fails", async () => {
  const stop = new AbortController();
  const engines = await Promise.all(["first", "second"].map(async () => {
    const { domain } = jobs(() => {});
    await domain.init(memory());
    return new Engine(domain);
  }));
  const [first, second] = engines.map((engine) => engine.run({ signal: stop.signal }));
  engines[0]?.fail(new Error("the first one's"));
  assertEquals(await first, 1);
  stop.abort();
  assertEquals(await second, 0);
});

Deno.test("nobody waits for quiet when the run has ended, or ends meanwhile", async () => {
  const { domain } = jobs(() => {});
  await domain.init(memory());
  const stop = new AbortController();
  const engine = new Engine(domain);
  await assertRejects(() => engine.untilQuiet(), IncorrectUsageError, "not running");
  const running = engine.run({ signal: stop.signal });
  // At its second look it would be quiet.
  const early = assertRejects(() => engine.untilQuiet(() => stop.abort()), ProteanError, "has ended");
  assertEquals(await running, 0);
  await early;
  await assertRejects(() => engine.untilQuiet(), IncorrectUsageError, "not running");
});

Deno.test("a slow broker of another team holds up no handler of ours", async () => {
  const order: string[] = [];
  const begun = Promise.withResolvers<void>();
  const handled = Promise.withResolvers<void>();
  const domain = new Domain("jobs");
  const schema = z.object({ id: z.string(), step: z.number() });
  const Job = domain.aggregate("Job", { schema });
  const JobMoved = domain.event("JobMoved", { partOf: Job, schema, published: true });
  domain.eventHandler("Works", {
    partOf: Job,
    handles: [on(JobMoved, async ({ step }) => {
      order.push(`handled ${step}`);
      if (step === 2) handled.resolve();
      // The other broker has both steps in its hands before the second one is looked at.
      else await begun.promise;
    })],
  });
  class Slow extends MemoryBroker {
    override async publish(entries: Parameters<MemoryBroker["publish"]>[0]) {
      begun.resolve();
      // It answers when the handler has run; after three seconds, if that waits for this.
      const patience = AbortSignal.timeout(3000);
      await Promise.race([handled.promise, new Promise((end) => patience.addEventListener("abort", end))]);
      order.push("published elsewhere");
      return await super.publish(entries);
    }
  }
  domain.registerAdapter("broker", "slow", Slow);
  const options = memory();
  await domain.init({
    config: {
      ...options.config,
      brokers: { ...options.config.brokers, partner: { provider: "slow" } },
      outbox: { external_brokers: ["partner"] },
    },
  });
  await domain.unitOfWork(async (ctx) => {
    for (const step of [1, 2]) await ctx.publish(JobMoved, { id: "a", step });
  });
  assertEquals(await new Engine(domain, { once: true }).run(), 0);
  assertEquals(order, ["handled 1", "handled 2", "published elsewhere"]);
});

Deno.test("what a handler commits during the drain leaves while another still runs", async () => {
  const stop = new AbortController();
  const arrived = Promise.withResolvers<void>();
  class Watched extends MemoryBroker {
    override publish(entries: Parameters<MemoryBroker["publish"]>[0]) {
      if (entries.some(({ data }) => data.includes("JobDone"))) arrived.resolve();
      return super.publish(entries);
    }
  }
  const domain = new Domain("jobs");
  domain.registerAdapter("broker", "watched", Watched);
  const schema = z.object({ id: z.string() });
  const Job = domain.aggregate("Job", { schema });
  const JobPlaced = domain.event("JobPlaced", { partOf: Job, schema });
  const JobDone = domain.event("JobDone", { partOf: Job, schema });
  const running = Promise.withResolvers<void>();
  domain.eventHandler("Waits", {
    partOf: Job,
    handles: [on(JobPlaced, async (_, { signal }) => {
      running.resolve();
      await Promise.race([arrived.promise, new Promise((cut) => signal.addEventListener("abort", cut))]);
      signal.throwIfAborted();
    })],
  });
  domain.eventHandler("Commits", {
    partOf: Job,
    handles: [on(JobPlaced, async ({ id }, ctx) => {
      await running.promise;
      stop.abort("SIGTERM");
      await turns(50);
      await ctx.publish(JobDone, { id });
    })],
  });
  const options = memory({ drain_timeout_seconds: 3 });
  options.config.brokers.default.provider = "watched";
  await domain.init(options);
  await domain.publish(JobPlaced, { id: "a" });
  // 4 when the event left only after everybody had ended: the one that waits for it was cut then.
  assertEquals(await new Engine(domain).run({ signal: stop.signal }), 0);
});

Deno.test("idempotency marks are removed by a task of their own, in batches of their own size", async () => {
  const limits: Record<string, number[]> = { rows: [], marks: [] };
  const removed = Promise.withResolvers<void>();
  class Counting extends MemoryProvider {
    constructor(options: ConstructorParameters<typeof MemoryProvider>[0]) {
      super(options);
      this.outbox.clean = ({ limit }) => {
        limits["rows"]?.push(limit);
        return Promise.reject(new UnavailableError("The outbox is not cleaned today."));
      };
    }
    override cleanMarks(_before: number, limit: number): Promise<number> {
      limits["marks"]?.push(limit);
      removed.resolve();
      return Promise.resolve(0);
    }
  }
  const { domain } = jobs(() => {});
  domain.registerAdapter("provider", "counting", Counting);
  const options = memory();
  options.config.databases.default.provider = "counting";
  await domain.init({
    config: {
      ...options.config,
      outbox: { cleanup: { cleanup_interval_ticks: 1, batch_size: 7 } },
      consume_idempotency: { cleanup: { batch_size: 3 } },
    },
  });
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  await removed.promise;
  stop.abort();
  assertEquals(await running, 0);
  assertEquals([limits["marks"]?.[0], limits["rows"]?.[0]], [3, 7]);
});

Deno.test("the listener is given: it is started before and stopped after everything, and reads the snapshot from memory", async () => {
  const diary: string[] = [];
  let source: HealthSource | undefined;
  const { domain } = jobs(() => {});
  await domain.init(memory());
  const engine = new Engine(domain, {
    once: true,
    listener: (options) => {
      source = options.source;
      const write = (line: string) => () => Promise.resolve(void diary.push(line));
      return { name: "supervisor", start: write("start"), stop: write("stop") };
    },
  });
  assertEquals(await engine.run(), 0);
  assertEquals(diary, ["start", "stop"]);
  assertEquals(source?.alive(), true);
  assertEquals(source?.snapshot().shuttingDown, true);
});

Deno.test("--once ends also with more keys than a status looks at", async () => {
  const domain = new Domain("jobs");
  const schema = z.object({ id: z.string() });
  const Job = domain.aggregate("Job", { schema });
  const JobPlaced = domain.event("JobPlaced", { partOf: Job, schema });
  const worked: string[] = [];
  domain.eventHandler("Works", {
    partOf: Job,
    sequentialBy: "id",
    handles: [on(JobPlaced, ({ id }) => void worked.push(id))],
  });
  await domain.init(memory({ partitioning: { poll_interval_seconds: 0.01 } }));
  const partitions = runtimeOf(domain).brokers.get("default")?.partitions;
  assert(partitions);
  const info = partitions.info.bind(partitions);
  partitions.info = (stream, group, most, keys) =>
    most <= 10_000 ? Promise.resolve(undefined) : info(stream, group, most, keys);
  for (const id of ["a", "b", "a"]) await domain.publish(JobPlaced, { id });
  const late = AbortSignal.timeout(10_000);
  assertEquals(await new Engine(domain, { once: true }).run({ signal: late }), 0);
  assertEquals([late.aborted, worked.sort()], [false, ["a", "a", "b"]]);
});
