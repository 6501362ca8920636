/** How soon a file's commits by another process are noticed, and how often it is looked (delivery 14). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { retryBusy } from "../../../../../lib/adapters/sqlite/file/busy.ts";
import { CommitWatch } from "../../../../../lib/adapters/sqlite/file/commit_watch.ts";
import type {
  ChangeListener,
  ListenToChanges,
} from "../../../../../lib/adapters/sqlite/file/file_changes.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

/** The system's word of writes, as the test gives it. */
class Said {
  ended = false;

  constructor(private readonly listener: ChangeListener) {}

  /** Somebody has written. */
  write(): void {
    if (!this.ended) this.listener.heard();
  }

  lose(): void {
    this.listener.lost();
  }
}

interface Parts {
  readonly clock: FakeClock;
  readonly watch: CommitWatch;
  readonly commit: () => void;
  readonly looks: () => number;
}

/** A file with a watch on it, and somebody else who commits to it. */
async function watched(
  check: (parts: Parts) => unknown,
  listen: ListenToChanges = () => undefined,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const own = new DatabaseSync(`${folder}/one.db`);
  const other = new DatabaseSync(`${folder}/one.db`);
  try {
    own.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (n integer)");
    const clock = new FakeClock();
    const dataVersion = own.prepare("PRAGMA data_version");
    let looks = 0;
    const get = dataVersion.get.bind(dataVersion);
    dataVersion.get = () => (looks++, get());
    const watch = new CommitWatch({ dataVersion, clock, listen });
    await check({ clock, watch, commit: () => other.exec("INSERT INTO t VALUES (1)"), looks: () => looks });
    watch.close();
    assertEquals(clock.pending, 0);
  } finally {
    own.close();
    other.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** As `watched`, on a file that is quiet, and whose writes are heard of. */
async function heard(
  check: (parts: Parts & { readonly said: Said[]; readonly stop: () => void }) => unknown,
): Promise<void> {
  const said: Said[] = [];
  await watched(async (parts) => {
    const { clock, watch } = parts;
    const stop = watch.add(() => {});
    await clock.advance(1_000);
    // One of this process, which shows that they are.
    watch.committed();
    said[0]?.write();
    await clock.advance(1_003);
    await check({ ...parts, said, stop });
    stop();
  }, (listener) => {
    const one = new Said(listener);
    said.push(one);
    return () => one.ended = true;
  });
  assert(said.every(({ ended }) => ended));
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

Deno.test("a quiet file whose writes are heard of is looked at four times a second", () =>
  heard(async ({ clock, looks }) => {
    const before = looks();
    await clock.advance(60_000);
    assert(looks() - before <= 241, `${looks() - before} looks in a minute`);
  }));

Deno.test("what this process writes itself costs two looks", () =>
  heard(async ({ clock, watch, looks, said: [said] }) => {
    await clock.advance(250 - clock.monotonic() % 250 + 3);
    const before = looks();
    watch.committed();
    for (let writes = 0; writes < 9; writes++) said?.write();
    await clock.advance(200);
    assertEquals(looks() - before, 2);
  }));

Deno.test("another process's commit wakes at once when its write is heard", () =>
  heard(async ({ clock, watch, commit, said: [said] }) => {
    let told = 0;
    watch.add(() => told++);
    for (const quiet of [0, 61, 1_003, 60_007]) {
      await clock.advance(quiet);
      told = 0;
      commit();
      said?.write();
      await clock.advance(0);
      assertEquals(told, 1, `after ${quiet} ms`);
      await clock.advance(100);
    }
  }));

Deno.test("a write that is heard before its commit can be seen is looked after", () =>
  heard(async ({ clock, watch, commit, said: [said] }) => {
    let told = 0;
    watch.add(() => told++);
    // As long as the disk takes; and the longest that one may wait for it then.
    for (const [synced, late] of [[2, 4], [10, 8], [150, 20], [900, 20]] as const) {
      told = 0;
      said?.write();
      await clock.advance(synced);
      assertEquals(told, 0);
      commit();
      await clock.advance(late);
      assertEquals(told, 1, `after ${synced} ms`);
      await clock.advance(2_000);
    }
  }));

Deno.test("a commit beside one of this process's is seen as soon", () =>
  heard(async ({ clock, watch, commit, said: [said] }) => {
    let told = 0;
    watch.add(() => told++);
    watch.committed();
    said?.write();
    await clock.advance(5);
    // While this process waits before it hears again.
    commit();
    said?.write();
    await clock.advance(16);
    assertEquals(told, 1);
  }));

Deno.test("a file whose writes are heard no more is polled as before", () =>
  heard(async ({ clock, watch, commit, looks, said: [said] }) => {
    let told = 0;
    watch.add(() => told++);
    await clock.advance(5_000);
    commit();
    await clock.advance(251);
    assertEquals(told, 1);
    await clock.advance(1_000);
    commit();
    await clock.advance(21);
    assertEquals(told, 2);
    // Until one is heard again.
    said?.write();
    await clock.advance(2_000);
    const before = looks();
    await clock.advance(1_000);
    assert(looks() - before <= 5);
    // The system has given it up.
    said?.lose();
    await clock.advance(100);
    commit();
    await clock.advance(21);
    assertEquals(told, 3);
  }));

Deno.test("while there is a write upon another nobody listens, and the file is polled", () =>
  heard(async ({ clock, watch, looks, said }) => {
    const before = looks();
    for (let ms = 0; ms < 2_000; ms++) {
      watch.committed();
      for (const each of said) each.write();
      await clock.advance(1);
    }
    assertEquals(said.map(({ ended }) => ended), [true]);
    assert(looks() - before < 200, `${looks() - before} looks in two seconds`);
    await clock.advance(1_000);
    assertEquals(said.length, 2, "a quiet file is listened to again");
  }));

Deno.test("where the system tells of no writes it is asked for it once a minute", async () => {
  let asked = 0;
  await watched(async ({ clock, watch }) => {
    watch.add(() => {});
    await clock.advance(30_000);
    assertEquals(asked, 1);
    await clock.advance(60_000);
    assertEquals(asked, 2);
  }, () => {
    asked++;
    return undefined;
  });
});

Deno.test("a write that comes while nobody wants to know is not lost to the next who does", () =>
  heard(async ({ clock, watch, commit, said: [said], stop }) => {
    stop();
    let told = 0;
    said?.write();
    await clock.advance(10);
    watch.add(() => told++);
    await clock.advance(1);
    commit();
    await clock.advance(20);
    assertEquals(told, 1);
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
