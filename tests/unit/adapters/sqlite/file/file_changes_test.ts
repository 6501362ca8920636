/** What the system tells of writes to a file, on this machine (Linux). */
import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteDatabase, statement } from "../../../../../lib/adapters/sqlite/file/database.ts";
import { changesOf } from "../../../../../lib/adapters/sqlite/file/file_changes.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

const ignore = Deno.build.os !== "linux";

async function inFolder(check: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await check(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "every write to a file is told, until the listening is ended",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const path = `${folder}/file`;
      await Deno.writeTextFile(path, "");
      let { promise, resolve } = Promise.withResolvers<void>();
      const lost = () => assert(false, "nobody has lost it");
      const end = changesOf(path)({ heard: () => resolve(), lost });
      for (let write = 0; write < 3; write++) {
        await Deno.writeTextFile(path, "x", { append: true });
        await promise;
        ({ promise, resolve } = Promise.withResolvers<void>());
      }
      end?.();
      end?.();
      assert(end);
    }),
});

Deno.test("a file that is not there is not listened to", () =>
  inFolder((folder) => {
    const unheard = () => assert(false, "there is nothing to hear");
    assertEquals(changesOf(`${folder}/file`)({ heard: unheard, lost: unheard }), undefined);
    return Promise.resolve();
  }));

Deno.test({
  name: "nobody is asked for the permission to listen",
  ignore,
  permissions: { read: false },
  fn: () => {
    const unheard = () => assert(false, "there is nothing to hear");
    assertEquals(changesOf("/anywhere")({ heard: unheard, lost: unheard }), undefined);
  },
});

Deno.test({
  name: "another connection's commit to a quiet file wakes without a poll",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const clock = new FakeClock();
      const path = `${folder}/one.db`;
      const database = await SqliteDatabase.open({ path, synchronous: "NORMAL", clock });
      await database.write((db) => db.exec("CREATE TABLE t (n integer)"));
      const other = new DatabaseSync(path);
      try {
        let woken = Promise.withResolvers<void>();
        const stop = database.watch(() => woken.resolve());
        await clock.advance(1_000);
        // Time stands still from here on: nobody polls.
        for (let commit = 0; commit < 3; commit++) {
          woken = Promise.withResolvers<void>();
          other.exec("INSERT INTO t VALUES (1)");
          await woken.promise;
          await clock.advance(2_000);
        }
        stop();
        const rows = await database.read((db) => statement(db, "SELECT count(*) AS n FROM t").get());
        assertEquals(rows?.["n"], 3);
      } finally {
        other.close();
        await database.close();
      }
    }),
});
