/**
 * Another process that takes a lock and stays until it is killed: `deno run -A lock_child.ts provider|broker
 * FOLDER NAME`. Says `held` once it has it.
 *
 * @module
 */
import { systemClock } from "../../lib/async/clock.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";

const [kind, folder = ".", name = ""] = Deno.args;
const options = { name: "default", domain: "shop", settings: {}, folder, clock: systemClock };
const adapter = kind === "provider" ? new SqliteProvider(options) : new SqliteBroker(options);
await adapter.open();
if (await adapter.lock(name)) Deno.stdout.writeSync(new TextEncoder().encode("held\n"));
for await (const _ of Deno.stdin.readable);
await adapter.close();
