/**
 * A domain on disk that uses whatever a domain on disk may: relative imports, JSON, text, built-in modules, every module of the
 * library, adapters of its own. Its handler does to each job what the job says, and writes what it found to `report.jsonl` of the
 * current folder, a line for each run.
 */
import { Domain, on, ProteanError, UnavailableError, ValidationError } from "@protean/server";
import { BaseBroker } from "@protean/server/adapters";
import { createHealthRouter } from "@protean/server/health";
import { testDomain } from "@protean/server/testing";
import { appendFileSync } from "node:fs";
import * as whole from "@protean/server";
import rules from "./rules.json" with { type: "json" };
import motto from "./motto.txt" with { type: "text" };
import { anything, object } from "./lib/schema.js";

export const domain = new Domain("workshop");
const Job = domain.aggregate("Job", { schema: object(["id", "does"]) });
const JobGiven = domain.command("JobGiven", { partOf: Job, identity: "id", schema: anything });
const JobDone = domain.event("JobDone", { partOf: Job, schema: anything });

let runs = 0;

domain.commandHandler("Worker", {
  partOf: Job,
  subscriptionConfig: { maxRetries: 2, retryDelaySeconds: 0 },
  handles: [on(JobGiven, (job, ctx) => kinds[job.does](job, ctx))],
});

domain.eventHandler("Reporter", {
  partOf: Job,
  handles: [on(JobDone, async ({ id }, ctx) => report({ reported: id, cached: await ctx.cache.get(id) }))],
});

/** What a job may say. */
const kinds = {
  async finish({ id, does }, ctx) {
    const job = Job.create({ id, does });
    job.raise(JobDone, { id });
    await ctx.repository(Job).add(job);
    await ctx.cache.set(id, rules.limit);
    report({ done: id, motto: motto.trim(), library: await aboutTheLibrary() });
  },
  /** The library's own error, caught here and let go of. */
  refuse({ id }) {
    try {
      Job.create({ id, does: 5 });
    } catch (error) {
      report({ refused: error instanceof ValidationError && error instanceof ProteanError });
      throw error;
    }
  },
  /** An error of the library's, thrown here: no attempt counts where a backend is away. */
  falter({ id }) {
    report({ run: ++runs });
    if (runs <= 4) throw new UnavailableError(`the lathe of ${id} is away`);
  },
};

/** Whether every module of the library is the one that runs this. */
async function aboutTheLibrary() {
  await using tested = await testDomain(another());
  return {
    domain: domain instanceof Domain,
    broker: Object.hasOwn(whole, "BaseBroker") && whole.BaseBroker === BaseBroker,
    health: whole.createHealthRouter === createHealthRouter,
    testing: typeof tested.when,
  };
}

function another() {
  const made = new Domain("another");
  made.aggregate("Thing", { schema: anything });
  return made;
}

function report(line) {
  appendFileSync("report.jsonl", `${JSON.stringify(line)}\n`);
}
