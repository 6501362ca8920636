/** Payloads and dead letters are in these files: only their owner may read them (M5, sec-sqlite-mode). */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { createPrivate } from "../../../../../lib/adapters/sqlite/file/private_file.ts";

/**
 * Opens a database in a process with that umask and tells the mode of each file that is there while it is
 * open.
 */
async function modesWith(umask: string, path: string): Promise<Record<string, string>> {
  const at = (file: string) => JSON.stringify(new URL(`../../../../../lib/${file}`, import.meta.url).href);
  const script = `
    import { SqliteDatabase } from ${at("adapters/sqlite/file/database.ts")};
    import { selfIdentity } from ${at("adapters/sqlite/file/process_identity.ts")};
    import { systemClock } from ${at("async/clock.ts")};
    const path = Deno.args[0];
    const database = await SqliteDatabase.open({ path, synchronous: "NORMAL", clock: systemClock });
    await database.write((db) => (selfIdentity(db), db.exec("CREATE TABLE t (n INTEGER)")));
    const modes = {};
    for (const { name } of Deno.readDirSync(Deno.args[1])) {
      modes[name.replace(/-alive-.*/, "-alive")] = (Deno.statSync(Deno.args[1] + "/" + name).mode & 0o777).toString(8);
    }
    console.log(JSON.stringify(modes));
    await database.close();
  `;
  const args = [
    "-c",
    'umask "$0"; exec "$@"',
    umask,
    Deno.execPath(),
    "eval",
    script,
    path,
    join(path, ".."),
  ];
  const { stdout, stderr } = await new Deno.Command("sh", { args }).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

for (const umask of ["000", "022", "077"]) {
  Deno.test(`with umask ${umask} a database, its WAL, its shared memory and signs of life are 0600`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      assertEquals(await modesWith(umask, join(folder, "shop.db")), {
        "shop.db": "600",
        "shop.db-wal": "600",
        "shop.db-shm": "600",
        "shop.db-alive": "600",
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("an existing file keeps its mode, a link to nothing leads to a private file, a folder that is missing is SQLite's to report", async () => {
  const folder = await Deno.makeTempDir();
  const mode = (name: string) => (Deno.statSync(join(folder, name)).mode ?? 0) & 0o777;
  try {
    await Deno.writeTextFile(join(folder, "old"), "kept");
    await Deno.chmod(join(folder, "old"), 0o640);
    createPrivate(join(folder, "old"));
    assertEquals([mode("old"), await Deno.readTextFile(join(folder, "old"))], [0o640, "kept"]);
    await Deno.symlink(join(folder, "target"), join(folder, "link"));
    createPrivate(join(folder, "link"));
    assertEquals(mode("target"), 0o600);
    createPrivate(join(folder, "missing", "db"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
