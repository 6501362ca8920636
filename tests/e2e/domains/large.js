/**
 * A domain on disk whose handlers write down what they get: `handled.log` of the current folder, `<handler> <id>
 * <characters>` a line.
 */
import { Domain, on } from "@protean/server";

const schema = { "~standard": { version: 1, vendor: "tests", validate: (value) => ({ value }) } };

export const domain = new Domain("large");
const Thing = domain.aggregate("Thing", { schema });
const Happened = domain.event("Happened", { partOf: Thing, schema });

for (const name of ["Idem", "Plain"]) {
  domain.eventHandler(name, {
    partOf: Thing,
    idempotent: name === "Idem",
    subscriptionConfig: { claimIdleMs: 1000, claimIntervalMs: 500, blockingTimeoutMs: 500 },
    handles: [on(Happened, ({ id, pad = "" }) => {
      Deno.writeTextFileSync("handled.log", `${name} ${id} ${pad.length}\n`, { append: true });
    })],
  });
}
