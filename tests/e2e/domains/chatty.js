/**
 * A domain on disk that fills its log: each job writes 100 lines of 4 kB, then its id into `handled.log` of
 * the current folder.
 */
import { Domain, on } from "@protean/server";

const schema = { "~standard": { version: 1, vendor: "tests", validate: (value) => ({ value }) } };

export const domain = new Domain("chatty");
const Job = domain.aggregate("Job", { schema });
const JobGiven = domain.event("JobGiven", { partOf: Job, schema });

domain.eventHandler("Talker", {
  partOf: Job,
  handles: [on(JobGiven, ({ id }, ctx) => {
    for (let line = 0; line < 100; line++) ctx.log.info("chatty.line", { id, line, text: "x".repeat(4096) });
    if (Deno.env.get("CHATTY_PRINTS")) {
      Deno.stdout.writeSync(new TextEncoder().encode(`${"x".repeat(400_000)}\n`));
    }
    Deno.writeTextFileSync("handled.log", `${id}\n`, { append: true });
  })],
});
