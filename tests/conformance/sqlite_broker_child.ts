/**
 * Another process on the same stream file: `deno run -A sqlite_broker_child.ts FOLDER COMMAND`. Says `ready`
 * once it has done its part.
 *
 * - `hold` reads two entries as consumer `child` and stays until it is killed;
 * - `publish` publishes one entry for every line it is sent;
 * - `flood` publishes numbered entries, a line `n` for each that is certain, until it is killed.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";

const [folder = ".", command = "hold"] = Deno.args;
const broker = new SqliteBroker({
  name: "default",
  domain: "shop",
  settings: { URI: "sqlite:///streams.db" },
  folder,
  clock: systemClock,
});

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

await broker.open();
if (command === "hold") {
  await broker.group({ stream: "orders", group: "g1", consumer: "child" }).read({ count: 2 });
}
say("ready");
if (command === "flood") {
  for (let number = 0;; number++) {
    await broker.publish([{ stream: "orders", data: String(number) }]);
    say(String(number));
    if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  await broker.publish([{ stream: "orders", data: line.trim() }]);
}
await broker.close();
