/** A domain on disk that writes down which process handled which job: `<pid> <id>` a line, in `pids.log` of the current folder. */
import { Domain, on } from "@protean/server";

const schema = { "~standard": { version: 1, vendor: "tests", validate: (value) => ({ value }) } };

export const domain = new Domain("pids");
const Job = domain.aggregate("Job", { schema });
const JobGiven = domain.event("JobGiven", { partOf: Job, schema });

domain.eventHandler("Worker", {
  partOf: Job,
  // Few at a time, each taking a moment: there is always something left for another process.
  subscriptionConfig: { messagesPerTick: 2 },
  handles: [on(JobGiven, async ({ id }) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    Deno.writeTextFileSync("pids.log", `${Deno.pid} ${id}\n`, { append: true });
  })],
});
