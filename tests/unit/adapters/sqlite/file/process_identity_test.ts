import { assert, assertEquals, assertFalse, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { disappear, isDead, selfIdentity } from "../../../../../lib/adapters/sqlite/file/process_identity.ts";

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

Deno.test("selfIdentity names this process, always in the same words while it has the file", () =>
  withFile((db, path) => {
    const identity = selfIdentity(db);
    assertEquals(identity.pid, process.pid);
    const again = new DatabaseSync(path);
    assertEquals(selfIdentity(again), identity);
    assertFalse(isDead(again, identity));
    again.close();
  }));

Deno.test("isDead calls a process alive that has the file, and dead as soon as it was killed", () =>
  withFile(async (db, path) => {
    const { child, ...identity } = await other(path);
    assertNotEquals(identity.pid, process.pid);
    assertFalse(isDead(db, identity));
    assertFalse(isDead(db, identity));
    child.kill("SIGKILL");
    await child.status;
    assert(isDead(db, identity));
    assert(isDead(db, identity), "it stays dead once its lock is cleared away");
  }));

Deno.test("isDead goes by the process and not by its number, which another one may have now", () =>
  withFile(async (db, path) => {
    const { child, startedAt } = await other(path);
    assertFalse(isDead(db, { pid: 4_000_000, startedAt }));
    child.kill("SIGKILL");
    await child.status;
    assert(isDead(db, { pid: process.pid, startedAt }));
  }));

Deno.test("isDead knows that this process has let the file go", () =>
  withFile((db) => {
    const before = selfIdentity(db);
    disappear(db);
    assert(isDead(db, before));
    assertFalse(isDead(db, selfIdentity(db)));
  }));

for (
  const [what, startedAt] of [
    ["who could not leave a sign of life", `?2026-01-01T00:00:00.000Z ${crypto.randomUUID()}`],
    ["who writes something else", "vm 5b0c pid:[4026531836] 1234"],
    ["whose token is a path", "2026-01-01T00:00:00.000Z ../../../../../../../../etc/passwd-padded-to"],
    ["who is nobody", ""],
  ] as const
) {
  Deno.test(`isDead calls nobody dead ${what}`, () =>
    withFile((db) => assertFalse(isDead(db, { pid: 4_000_000, startedAt }))));
}

Deno.test("nobody is called dead of a database in memory, which no other process can open", () => {
  const db = new DatabaseSync(":memory:");
  assertFalse(isDead(db, selfIdentity(db)));
  assertFalse(isDead(db, { pid: 1, startedAt: `2026-01-01T00:00:00.000Z ${crypto.randomUUID()}` }));
  disappear(db);
  db.close();
});
