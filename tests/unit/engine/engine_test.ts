/** A domain run in the test's own process: how it starts, when it ends by itself, and with which exit code (design 7 and 9, S72). */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { LogRecord } from "@logtape/logtape";
import { z } from "zod";
import { MemoryCache } from "../../../lib/adapters/memory/cache.ts";
import { ConfigurationError, type Context, Domain, Engine, on, UnavailableError } from "../../../lib/mod.ts";
import { IncorrectUsageError } from "../../../lib/errors.ts";
import { freePort } from "../../support/free_port.ts";
import { logged } from "../../support/logged.ts";

/** A job that is published when it is placed; `work` is what its handler does, `attempts` how often it may. */
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
  const counters = engine.subscriptions.find(({ runner }) => runner.name === "Works")?.counters;
  assertEquals([counters?.handled, counters?.deadLettered], [2, 1]);
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
  const records = await logged(async () => assertEquals(await engine.run(), 1));
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
  const records = await logged(async () => assertEquals(await new Engine(domain).run(), 1));
  assertEquals(named(records, "engine.failed").map(({ error }) => error), ["out of a timer"]);
});

/** Runs a handler that lasts until it is cut and then lets go of a rejection; `before` is called while it runs. */
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
  return await new Engine(domain).run({ signal: stop.signal });
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
  assertEquals(await engine.run(), 1);
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

Deno.test("a handler that asks for an order across processes does not start", async () => {
  const { domain, JobPlaced } = jobs(() => {});
  domain.eventHandler("Bills", {
    streamCategory: "jobs::job",
    sequentialBy: "id",
    handles: [on(JobPlaced, () => {})],
  });
  await domain.init(memory());
  const error = await assertRejects(() => new Engine(domain, { once: true }).run(), ConfigurationError);
  assertEquals(error.problems.map(({ code, key }) => [code, key]), [[
    "CONFIG_NOT_SUPPORTED",
    "sequentialBy",
  ]]);
  assertStringIncludes(error.message, "Bills sets sequentialBy to 'id'");
});

Deno.test("settings without effect are told at the start, each by name", async () => {
  const { domain } = jobs(() => {});
  await domain.init(memory({ metrics: { enabled: true }, dlq: { alert_threshold: 5 } }));
  const records = await logged(() => new Engine(domain, { once: true }).run());
  assertEquals(named(records, "config.no_effect").map(({ key }) => key), [
    "server.metrics.enabled",
    "server.dlq.alert_threshold",
  ]);
});
