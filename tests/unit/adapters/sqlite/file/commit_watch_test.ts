/** How soon a file's commits by another process are noticed, and how often it is looked (delivery 14). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { retryBusy } from "../../../../../lib/adapters/sqlite/file/busy.ts";
import { CommitWatch } from "../../../../../lib/adapters/sqlite/file/commit_watch.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

/** A file with a watch on it, and somebody else who commits to it. */
async function watched(
  check: (
    parts: { clock: FakeClock; watch: CommitWatch; commit: () => void; looks: () => number },
  ) => unknown,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const own = new DatabaseSync(`${folder}/one.db`);
  const other = new DatabaseSync(`${folder}/one.db`);
  try {
    own.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (n integer)");
    const clock = new FakeClock();
    const version = own.prepare("PRAGMA data_version");
    let looks = 0;
    const get = version.get.bind(version);
    version.get = () => (looks++, get());
    const watch = new CommitWatch(version, clock);
    await check({ clock, watch, commit: () => other.exec("INSERT INTO t VALUES (1)"), looks: () => looks });
    watch.close();
    assertEquals(clock.pending, 0);
  } finally {
    own.close();
    other.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("another process's commit is noticed within 20 ms, however long it was quiet before", () =>
  watched(async ({ clock, watch, commit }) => {
    let told = 0;
    const stop = watch.add(() => told++);
    for (const quiet of [0, 40, 61, 1_003, 60_007]) {
      await clock.advance(quiet);
      told = 0;
      commit();
      await clock.advance(22);
      assertEquals(told, 1, `after ${quiet} ms`);
    }
    stop();
  }));

Deno.test("while another process commits, a commit is noticed within 5 ms", () =>
  watched(async ({ clock, watch, commit }) => {
    let told = 0;
    watch.add(() => told++);
    commit();
    await clock.advance(22);
    for (let commits = 2; commits < 20; commits++) {
      await clock.advance(37);
      commit();
      await clock.advance(7);
      assertEquals(told, commits);
    }
  }));

Deno.test("a quiet file is looked at fifty times a second, those of one process in the same moments", () =>
  watched(async ({ clock, watch, looks }) => {
    await clock.advance(3);
    watch.add(() => {});
    await clock.advance(1_007);
    const before = looks();
    await clock.advance(10_000);
    assert(looks() - before <= 501, `${looks() - before} looks in ten seconds`);
    // Whoever began at another time has its turn with it.
    await watched(async ({ watch: another, looks: others, clock: own }) => {
      await own.advance(11);
      another.add(() => {});
      await own.advance(1_000);
      const at = others();
      await own.advance(20 - own.monotonic() % 20);
      assertEquals(others() - at, 1);
    });
  }));

Deno.test("a file that another process has locked for a moment is tried again soon, one that is held, seldom", async () => {
  const clock = new FakeClock();
  const tries: number[] = [];
  const began = clock.monotonic();
  const busy = Object.assign(new Error("database is locked"), { errcode: 5, errstr: "database is locked" });
  const waiting = assertRejects(
    () =>
      retryBusy(() => {
        tries.push(clock.monotonic() - began);
        throw busy;
      }, { clock, limit: 5_000, locked: () => new Error("too long") }),
    Error,
    "too long",
  );
  await clock.advance(6_000);
  await waiting;
  const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
  const soon = gaps.filter((_, index) => (tries[index] ?? 0) < 250);
  assert(soon.every((gap) => gap >= 1 && gap <= 3), `${soon}`);
  assert(soon.length >= 80);
  const later = gaps.filter((_, index) => (tries[index] ?? 0) >= 250);
  assert(later.every((gap) => gap >= 1 && gap <= 20) && later.some((gap) => gap > 5), `${later}`);
});
