/** A handler that costs a millisecond of CPU, for `workers_bench.ts`. */
import { Domain, on } from "@protean/server";

const schema = { "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value }) } };

export const domain = new Domain("burn");
const Log = domain.aggregate("Log", { schema });
const Lit = domain.event("Lit", { partOf: Log, schema });

domain.eventHandler("Burns", {
  partOf: Log,
  subscriptionConfig: { messagesPerTick: 20 },
  handles: [on(Lit, () => {
    const end = performance.now() + 1;
    while (performance.now() < end);
  })],
});
