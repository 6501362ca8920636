/**
 * The order of keys across processes that share SQLite files: owners are killed and frozen, and each key's
 * events, which belong to many aggregates, are handled in their order.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pause, until } from "../support/until.ts";
import { KEYS, TABLE } from "./sqlite_partitions_worker.ts";

const script = new URL("./sqlite_partitions_worker.ts", import.meta.url).pathname;
const settings = new URL("../../deno.json", import.meta.url).pathname;

function serve(folder: string, events = 0): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", settings, script, folder, String(events)],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function withServers(
  work: (
    folder: string,
    start: (events?: number) => Deno.ChildProcess,
    effects: (handler: string) => readonly { readonly key: string; readonly n: number }[],
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const db = new DatabaseSync(join(folder, "shop.db"));
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(TABLE);
  const children: Deno.ChildProcess[] = [];
  const start = (events?: number) => {
    const child = serve(folder, events);
    children.push(child);
    return child;
  };
  const effects = (handler: string) =>
    db.prepare("SELECT key, n FROM effects WHERE handler = ? ORDER BY seq").all(handler)
      .map(({ key, n }) => ({ key: String(key), n: Number(n) }));
  try {
    await work(folder, start, effects);
  } finally {
    for (const child of children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
    }
    db.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Each key's numbers, as their effects came. */
function byKey(effects: readonly { readonly key: string; readonly n: number }[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { key, n } of effects) found.set(key, [...found.get(key) ?? [], n]);
  return found;
}

function upTo(events: number): Map<string, number[]> {
  const numbers = Array.from({ length: events }, (_, index) => index + 1);
  return new Map(Array.from({ length: KEYS }, (_, key) => [`k${key}`, numbers]));
}

const sorted = (map: Map<string, number[]>) => [...map].sort(([a], [b]) => a < b ? -1 : 1);

Deno.test("sqlite keys: owners killed one after the other: nothing lost, doubled or out of order", async () => {
  await withServers(async (_folder, start, effects) => {
    const events = 60;
    const servers = [start(events), start(), start()];
    for (const share of [0.2, 0.4, 0.6]) {
      await until(() => effects("Effects").length >= events * KEYS * share, `${share} of the effects`);
      const victim = servers.shift();
      victim?.kill("SIGKILL");
      await victim?.status;
      servers.push(start());
    }
    await until(() => effects("Effects").length >= events * KEYS, "all effects");
    assertEquals(sorted(byKey(effects("Effects"))), sorted(upTo(events)));
    for (const server of servers) server.kill("SIGTERM");
    for (const server of servers) assertEquals((await server.status).code, 0);
    assertEquals(effects("Effects").length, events * KEYS);
  });
});

Deno.test("sqlite keys: an owner frozen for longer than its lease does nothing twice when it wakes", async () => {
  await withServers(async (_folder, start, effects) => {
    const events = 60;
    const frozen = start(events);
    await until(() => effects("Plain").length >= 50, "some effects");
    const heir = start();
    await pause(500);
    frozen.kill("SIGSTOP");
    await until(
      async () => {
        // Somebody who is stopped in a transaction has the file for as long.
        frozen.kill("SIGCONT");
        await pause(20);
        frozen.kill("SIGSTOP");
        const before = effects("Plain").length;
        await pause(2500);
        return effects("Plain").length > before || effects("Plain").length >= events * KEYS;
      },
      "the other to go on",
    );
    frozen.kill("SIGCONT");
    await until(() => effects("Plain").length >= events * KEYS, "all effects");
    await until(() => effects("Effects").length >= events * KEYS, "all effects of the other handler");
    await pause(500);
    const ordered = byKey(effects("Effects"));
    assertEquals(sorted(ordered), sorted(upTo(events)));
    for (const [key, numbers] of byKey(effects("Plain"))) {
      // Without marks what was committed and not yet acknowledged runs twice; never later than its successor.
      const order = [...numbers].sort((a, b) => a - b);
      assertEquals(numbers, order, key);
    }
    for (const server of [frozen, heir]) server.kill("SIGTERM");
    for (const server of [frozen, heir]) assert((await server.status).success);
  });
});
