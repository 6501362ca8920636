import { assertEquals, assertNotEquals } from "@std/assert";
import { dirname, join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import {
  disappear,
  selfIdentity,
  vitalityOf,
} from "../../../../../lib/adapters/sqlite/file/process_identity.ts";

async function withFile(test: (db: DatabaseSync, path: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "domän mit " });
  const db = new DatabaseSync(join(folder, "shop.db"));
  try {
    await test(db, join(folder, "shop.db"));
    disappear(db);
    assertEquals(files(folder), ["shop.db"]);
  } finally {
    db.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function files(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** Another process that has the file open; returns who it is. */
async function other(path: string): Promise<{ child: Deno.ChildProcess; pid: number; startedAt: string }> {
  const module = new URL("../../../../../lib/adapters/sqlite/file/process_identity.ts", import.meta.url).href;
  const script = `
    import { DatabaseSync } from "node:sqlite";
    import { selfIdentity } from ${JSON.stringify(module)};
    console.log(JSON.stringify(selfIdentity(new DatabaseSync(Deno.args[0]))));
    setInterval(() => {}, 1e9);
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", script, path],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) line += (await reader.read()).value ?? "\n";
  await reader.cancel();
  return { child, ...JSON.parse(line) };
}

/** The sign of a killed process is there, and goes. */
function remains(path: string): void {
  const [sign = ""] = files(dirname(path)).filter((name) => name.includes("-alive-"));
  Deno.removeSync(join(dirname(path), sign));
}

/** What another process finds out. */
async function vitalityElsewhere(path: string, identity: { startedAt: string }): Promise<string> {
  const module = new URL("../../../../../lib/adapters/sqlite/file/process_identity.ts", import.meta.url).href;
  const script = `
    import { DatabaseSync } from "node:sqlite";
    import { vitalityOf } from ${JSON.stringify(module)};
    const [path, startedAt] = Deno.args;
    console.log(vitalityOf(new DatabaseSync(path), { pid: 1, startedAt }));
  `;
  const args = ["eval", script, path, identity.startedAt];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("selfIdentity names this process, always in the same words while it has the file", () =>
  withFile((db, path) => {
    const identity = selfIdentity(db);
    assertEquals(identity.pid, process.pid);
    const again = new DatabaseSync(path);
    assertEquals(selfIdentity(again), identity);
    assertEquals(vitalityOf(again, identity), "alive");
    again.close();
  }));

Deno.test("a process is alive that has the file, and dead as soon as it was killed", () =>
  withFile(async (db, path) => {
    const { child, ...identity } = await other(path);
    assertNotEquals(identity.pid, process.pid);
    assertEquals(vitalityOf(db, identity), "alive");
    assertEquals(vitalityOf(db, identity), "alive");
    child.kill("SIGKILL");
    await child.status;
    assertEquals(vitalityOf(db, identity), "dead");
    assertEquals(vitalityOf(db, identity), "dead", "and stays so");
    remains(path);
  }));

Deno.test("it goes by the process and not by its number, which another one may have now", () =>
  withFile(async (db, path) => {
    const { child, startedAt } = await other(path);
    assertEquals(vitalityOf(db, { pid: 4_000_000, startedAt }), "alive");
    child.kill("SIGKILL");
    await child.status;
    assertEquals(vitalityOf(db, { pid: process.pid, startedAt }), "dead");
    remains(path);
  }));

Deno.test("a process that has let the file go is dead for as long as something in the file names it", () =>
  withFile((db, path) => {
    db.exec("CREATE TABLE protean_holder (pid integer, started_at text)");
    const name = db.prepare("INSERT INTO protean_holder VALUES (?, ?)");
    const before = selfIdentity(db);
    name.run(before.pid, before.startedAt);
    disappear(db);
    assertEquals(vitalityOf(db, before), "dead");
    const after = selfIdentity(db);
    assertEquals([vitalityOf(db, after), vitalityOf(db, before)], ["alive", "dead"]);
    db.exec("DELETE FROM protean_holder");
    disappear(db);
    assertEquals(files(dirname(path)).length, 2);
    selfIdentity(db);
    assertEquals(files(dirname(path)).length, 2, "the next start clears away what nothing names");
  }));

Deno.test("a sign of life that somebody removes is made again at the next beat, and nobody is dead meanwhile", () =>
  withFile(async (db, path) => {
    const identity = selfIdentity(db);
    const [sign = ""] = files(dirname(path)).filter((name) => name.includes("-alive-"));
    const asked = () => vitalityElsewhere(path, identity);
    assertEquals(await asked(), "alive");
    Deno.removeSync(join(dirname(path), sign));
    assertEquals(await asked(), "unknown");
    assertEquals(files(dirname(path)), ["shop.db"], "to ask makes nothing");
    assertEquals(selfIdentity(db, performance.now() + 1000), identity);
    assertEquals(await asked(), "alive");
  }));

for (
  const [what, startedAt] of [
    ["who could not leave a sign of life", `?2026-01-01T00:00:00.000Z ${crypto.randomUUID()}`],
    ["who writes something else", "vm 5b0c pid:[4026531836] 1234"],
    ["whose token is a path", "2026-01-01T00:00:00.000Z ../../../../../../../../etc/passwd-padded-to"],
    ["who is nobody", ""],
    ["whose sign of life is missing", `2026-01-01T00:00:00.000Z ${crypto.randomUUID()}`],
  ] as const
) {
  Deno.test(`nobody is called dead or alive ${what}`, () =>
    withFile((db) => assertEquals(vitalityOf(db, { pid: 4_000_000, startedAt }), "unknown")));
}

Deno.test("nobody is called dead of a database in memory, which no other process can open", () => {
  const db = new DatabaseSync(":memory:");
  assertEquals(vitalityOf(db, selfIdentity(db)), "alive");
  const startedAt = `2026-01-01T00:00:00.000Z ${crypto.randomUUID()}`;
  assertEquals(vitalityOf(db, { pid: 1, startedAt }), "unknown");
  disappear(db);
  db.close();
});
