/**
 * A domain on disk whose one handler does to each task what the task says, and writes down when it starts and ends: in
 * `tasks.log` of the current folder, one `start <id>` or `end <id>` a line.
 */
import { Domain, on } from "@protean/server";

const LOG = "tasks.log";
const forever = () => new Promise(() => {});

/** Takes what comes: the tests send what they mean to. */
const schema = { "~standard": { version: 1, vendor: "tests", validate: (value) => ({ value }) } };

if (Deno.env.get("TASKS_FAIL")) throw new Error("TASKS_FAIL is set");
if ([...Deno.readDirSync(".")].some(({ name }) => name === "tasks.broken")) throw new Error("It is broken");

export const domain = new Domain("tasks");
const Task = domain.aggregate("Task", { schema });
const TaskGiven = domain.event("TaskGiven", { partOf: Task, schema });

domain.eventHandler("Worker", {
  partOf: Task,
  concurrency: 4,
  subscriptionConfig: { messagesPerTick: 2, maxRetries: 3, retryDelaySeconds: 0, maxDeliveries: 2 },
  handles: [on(TaskGiven, async ({ id, does }, { signal }) => {
    write(`start ${id}`);
    await kinds[does](id, signal);
    write(`end ${id}`);
  })],
});

/** What a task may say. */
const kinds = {
  nothing: () => {},
  wait: () => new Promise((resolve) => setTimeout(resolve, 200)),
  /** Ends well as soon as it is told to stop. */
  heed: (_, signal) => aborted(signal),
  /** Ignores its signal; fails whenever it is started again. */
  ignore: (id) => {
    if (starts(id) > 1) throw new Error(`${id} fails this time`);
    return forever();
  },
  /** When it is told to stop, ends with an error and lets go of a second one. */
  drop: async (_, signal) => {
    await aborted(signal);
    void Promise.reject(new Error("dropped at the stop"));
    throw signal.reason;
  },
  /** Lets go of an error at once. */
  forget: (id) => void Promise.reject(new Error(`${id} was forgotten`)),
  fail: (id) => {
    throw new Error(`${id} fails`);
  },
  /** As a crash in native code would. */
  die: () => Deno.exit(9),
  spin: () => {
    for (;;);
  },
};

function aborted(signal) {
  if (signal.aborted) return;
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function starts(id) {
  return Deno.readTextFileSync(LOG).split("\n").filter((line) => line === `start ${id}`).length;
}

function write(line) {
  Deno.writeTextFileSync(LOG, `${line}\n`, { append: true });
}
