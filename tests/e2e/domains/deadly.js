/**
 * A domain on disk whose schema ends the process for a payload that says so, as one does that exhausts the memory. What
 * is handled is written down: `handled.log` of the current folder, one id a line.
 */
import { Domain, on } from "@protean/server";

const schema = {
  "~standard": {
    version: 1,
    vendor: "tests",
    validate: (value) => {
      if (value.deadly) {
        Deno.writeTextFileSync("judged.log", "judged\n", { append: true });
        Deno.exit(9);
      }
      return { value };
    },
  },
};

export const domain = new Domain("deadly");
const Thing = domain.aggregate("Thing", { schema });
const Happened = domain.event("Happened", { partOf: Thing, schema });

domain.eventHandler("Plain", {
  partOf: Thing,
  subscriptionConfig: { claimIdleMs: 1000, claimIntervalMs: 500, blockingTimeoutMs: 500, maxDeliveries: 3 },
  handles: [on(Happened, ({ id }) => Deno.writeTextFileSync("handled.log", `${id}\n`, { append: true }))],
});
