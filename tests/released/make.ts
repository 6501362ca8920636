/**
 * Makes a database of a released version, with data in every table, as text that tests load:
 *
 *     deno run -A tests/released/make.ts CHECKOUT tests/released/NAME
 *
 * CHECKOUT is a folder with the source of that version, NAME its tag or commit. Needs `sqlite3`, `pg_dump`
 * and a PostgreSQL that the tests can start. For each database there are then, in the bundled domain: orders
 * in every state and their views, marks, dead letters, entries that a consumer took and died with, outbox
 * rows published, pending and claimed by a processor that died, an event and a key of the cache.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PostgresServer } from "../support/postgres_server.ts";

const [checkout = "", target = ""] = Deno.args.map((path) => resolve(path));

/** Handled before the crash; the last two cannot be. */
const HANDLED = [
  ["PlaceOrder", { orderId: "o-1", amount: 10 }],
  ["PlaceOrder", { orderId: "o-2", amount: 2000, customer: "Zoë 'the' \"one\"" }],
  ["PlaceOrder", { orderId: "o-3", amount: 30 }],
  ["PlaceOrder", { orderId: "o-4", amount: 40 }],
  ["PlaceOrder", { orderId: "too-much", amount: 20_000 }],
  ["PlaceOrder", { orderId: "too-little", amount: -1 }],
] as const;
/** Taken from the stream by a consumer that dies. */
const TAKEN = [["ShipOrder", { orderId: "o-1" }], ["CancelOrder", {
  orderId: "o-2",
  reason: "no room",
}]] as const;
/** In the outbox, claimed and not. */
const PENDING = [["ShipOrder", { orderId: "o-3" }], ["PlaceOrder", { orderId: "o-5", amount: 50 }]] as const;

const COMMON = `
[server.health]
enabled = false
[server.stream_subscription]
max_retries = 1
retry_delay_seconds = 0.01
`;

/** Runs in the checkout's own code: publishes, takes, claims, and dies. */
const CRASH = `
const at = (path) => ${JSON.stringify(pathToFileURL(checkout).href)} + path;
const { domain } = await import(at("/handlers/mod.ts"));
const { runtimeOf } = await import(at("/lib/domain/runtime.ts"));
const { OutboxProcessor } = await import(at("/lib/outbox/processor.ts"));
const clock = (await import(at("/lib/clock.ts"))).systemClock;
await domain.init({ config: Deno.args[0] });
const { providers, brokers, caches, eventStore } = runtimeOf(domain);
const [provider, broker] = [providers.get("default"), brokers.get("default")];
if (Deno.args[1] === "take") {
  const retry = { maxAttempts: 3, baseDelaySeconds: 1, maxDelaySeconds: 1 };
  const settings = { messagesPerTick: 100, maxTickIntervalSeconds: 1, retry };
  await new OutboxProcessor({ provider, broker, owner: "gone", clock, settings }).pass();
  const group = "my_domain.OrderCommandHandler";
  const taken = await broker.group({ stream: "my_domain::order:command", group, consumer: "gone" }).read({ count: 10 });
  if (taken.length !== ${TAKEN.length}) throw new Error("taken: " + taken.length);
  await caches.get("default").set("released", '"kept"', Infinity);
  await eventStore.append([{ stream: "my_domain::order-1", type: "MyDomain.Kept.v1", data: "{}", metadata: { domain: { kind: "EVENT" } }, expectedVersion: -1 }]);
} else {
  const lease = await provider.outbox.lease({ broker: "default", owner: "gone" });
  const claimed = await lease.claim(1);
  if (claimed.length !== 1) throw new Error("claimed: " + claimed.length);
}
Deno.exit(0);
`;

await Deno.mkdir(target, { recursive: true });
await make(async (folder) => {
  await fill(folder, COMMON);
  await dumpSqlite(join(folder, "my_domain.db"), join(target, "sqlite.sql"));
  await dumpSqlite(join(folder, "my_domain-streams.db"), join(target, "sqlite-streams.sql"));
});
await make(async (folder) => {
  await using server = await PostgresServer.start();
  const uri = server.uri();
  await fill(
    folder,
    `${COMMON}\n[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${uri}"\n`,
    true,
  );
  const dump = await output("pg_dump", [uri, "--inserts", "--no-owner", "--no-privileges"]);
  // Lines that begin with a backslash are for psql alone, and one version's psql does not know another's.
  const sql = dump.split("\n").filter((line) => !/^(\\|--|SET |SELECT pg_catalog.set_config|$)/.test(line));
  await Deno.writeTextFile(join(target, "postgres.sql"), sql.join("\n") + "\n");
  await dumpSqlite(join(folder, "my_domain-streams.db"), join(target, "postgres-streams.sql"));
});

async function make(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "protean-released-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fill(folder: string, toml: string, setUp = false): Promise<void> {
  const config = join(folder, "domain.toml");
  await Deno.writeTextFile(config, toml);
  await Deno.writeTextFile(join(folder, "crash.ts"), CRASH);
  const main = async (...args: string[]) => {
    const options = ["--domain=my_domain", `--config=${config}`];
    await deno(["run", "-A", join(checkout, "main.ts"), ...args, ...options], folder);
  };
  const send = async (messages: typeof HANDLED | typeof TAKEN | typeof PENDING) => {
    for (const [name, payload] of messages) await main("send", name, "--data", JSON.stringify(payload));
  };
  const crash = (what: string) =>
    deno(["run", "-A", `--config=${join(checkout, "deno.json")}`, "crash.ts", config, what], folder);
  if (setUp) await main("db", "setup");
  await send(HANDLED);
  await main("server", "--once");
  await send(TAKEN);
  await crash("take");
  await send(PENDING);
  await crash("claim");
}

async function dumpSqlite(file: string, to: string): Promise<void> {
  await Deno.writeTextFile(to, await output("sqlite3", [file, ".dump"]));
}

async function deno(args: readonly string[], cwd: string): Promise<void> {
  await output(Deno.execPath(), args, cwd);
}

async function output(command: string, args: readonly string[], cwd = "/"): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
