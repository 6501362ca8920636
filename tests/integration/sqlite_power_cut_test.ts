/**
 * The embedded default at a power cut (D13, G1): the parts of the logs that no sync has covered are taken
 * away, at many moments of a run, and the files that are left are counted by themselves.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { creation, type Step } from "../../lib/adapters/migrations.ts";
import { DatabaseFile } from "../../lib/adapters/sqlite/file/database_file.ts";
import { component, type SqliteComponent } from "../../lib/adapters/sqlite/file/migrate.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { Domain, Engine, on } from "../../lib/mod.ts";
import { SyncedFiles } from "../support/synced_files.ts";
import { until } from "../support/until.ts";

const EVENTS = 150;
const STREAMS = "power-streams.db";

async function withFolders(prove: (one: string, other: string) => Promise<void>): Promise<void> {
  const folders = [await Deno.makeTempDir(), await Deno.makeTempDir()] as const;
  try {
    await prove(...folders);
  } finally {
    for (const folder of folders) await Deno.remove(folder, { recursive: true });
  }
}

/** Every seventh event fails for good. `handled` is a handler's effect outside of every database. */
function shop(handled: Set<number>) {
  const domain = new Domain("power");
  const schema = z.object({ id: z.string(), n: z.number() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  domain.eventHandler("Counts", {
    partOf: Order,
    subscriptionConfig: { maxRetries: 1, retryDelaySeconds: 0 },
    handles: [on(Placed, ({ n }) => {
      if (n % 7 === 0) throw new Error("never");
      handled.add(n);
    })],
  });
  return { domain, Placed };
}

function settings(folder: string): Record<string, unknown> {
  const database = { provider: "sqlite", database_uri: `sqlite:///${folder}/power.db` };
  const streams = { provider: "sqlite", URI: `sqlite:///${folder}/${STREAMS}` };
  return {
    databases: { default: database },
    event_store: database,
    brokers: { default: streams },
    caches: { default: streams },
    server: { health: { enabled: false } },
  };
}

/** What is in the files, by the numbers of the events. */
function books(folder: string) {
  const column = (file: string, sql: string) => {
    const db = new DatabaseSync(join(folder, file));
    try {
      assertEquals(db.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
      return db.prepare(sql).all().map((row) => Number(row.n));
    } finally {
      db.close();
    }
  };
  const entries = (like: string) =>
    column(
      STREAMS,
      `SELECT coalesce(e.data ->> '$.data.n', e.data ->> '$.n') AS n FROM protean_stream_entry e
        JOIN protean_stream s ON s.id = e.stream WHERE s.name LIKE '${like}'`,
    );
  return {
    published: column(
      "power.db",
      "SELECT data ->> '$.n' AS n FROM protean_outbox WHERE status = 'published'",
    ),
    entries: entries("power::order"),
    letters: entries("power::order:dlq"),
  };
}

Deno.test("a power cut at any moment loses no published event and no dead letter of the embedded default", () =>
  withFolders(async (folder, cutFolder) => {
    using files = new SyncedFiles();
    const handled = new Set<number>();
    const { domain, Placed } = shop(handled);
    await domain.init({ config: settings(folder) });
    const stop = new AbortController();
    const engine = new Engine(domain);
    const running = engine.run({ signal: stop.signal });
    for (let n = 1; n <= EVENTS; n++) {
      await domain.publish(Placed, { id: `o${n % 9}`, n });
      if (n % 10 === 0) await until(() => handled.size >= n - Math.floor(n / 7), "the handlers");
    }
    const letters = Math.floor(EVENTS / 7);
    await until(() => engine.subscriptions[0]?.counters.deadLettered === letters, "the dead letters");
    const moments = [...Array.from({ length: 24 }, (_, index) => index * 25 + 10), files.commits.length];
    for (const moment of moments.filter((each) => each <= files.commits.length)) {
      // The worse for the pair: the outbox keeps records that nobody has waited for, the streams do not.
      for (const kept of ["synced", "written"] as const) {
        await files.cut(cutFolder, moment, (path) => path.endsWith(STREAMS) ? "synced" : kept);
        const left = books(cutFolder);
        const lost = left.published.filter((n) => !left.entries.includes(n));
        assertEquals(lost, [], `lost at commit ${moment} of ${files.commits.length}, ${kept}`);
      }
    }
    const left = books(cutFolder);
    assertEquals([left.entries.length, left.letters.length], [EVENTS, letters]);
    stop.abort();
    await running;

    const again = new Set<number>();
    const second = shop(again);
    await second.domain.init({ config: settings(cutFolder) });
    assertEquals(await new Engine(second.domain, { once: true }).run(), 0);
    const all = Array.from({ length: EVENTS }, (_, index) => index + 1).filter((n) => n % 7 !== 0);
    assertEquals(all.filter((n) => !handled.has(n) && !again.has(n)), []);
  }));

Deno.test("what an operator did to a dead letter is not undone by a power cut", () =>
  withFolders(async (folder, cutFolder) => {
    using files = new SyncedFiles();
    const brokerIn = async (place: string) => {
      const options = { name: "default", domain: "power", settings: {}, folder: place, clock: systemClock };
      const broker = new SqliteBroker(options);
      await broker.open();
      return broker;
    };
    const broker = await brokerIn(folder);
    const dlq = "power::order:dlq";
    const published = await broker.publish(["1", "2", "3"].map((data) => ({ stream: dlq, data })));
    const [one = "", two = "", three = ""] = published.map((result) => "id" in result ? result.id : "");
    const left = async () => {
      await files.cut(cutFolder, files.commits.length, () => "synced");
      const other = await brokerIn(cutFolder);
      try {
        return (await other.deadLetters.list(dlq, { limit: 9 })).map(({ data }) => data);
      } finally {
        await other.close();
      }
    };
    assert(await broker.deadLetters.replay(dlq, one, "power::order:replay:g1", "g1"));
    assertEquals(await left(), ["2", "3"]);
    assertEquals(await broker.deadLetters.remove(dlq, [two]), 1);
    assertEquals(await left(), ["3"]);
    assert(three !== "");
    assertEquals(await broker.deadLetters.purge(dlq), 1);
    assertEquals(await left(), []);
    await broker.close();
  }));

Deno.test("a power cut in the middle of the set-up or of a migration is made good by the next start", () =>
  withFolders(async (folder, cutFolder) => {
    using files = new SyncedFiles();
    const steps = (count: number): readonly SqliteComponent[] => {
      const later = Array.from({ length: count }, (_, index): Step => ({
        title: `add the column c${index}`,
        additive: true,
        statements: [
          `ALTER TABLE things ADD COLUMN c${index} text`,
          `INSERT INTO things (c${index}) VALUES ('one')`,
          `CREATE INDEX things_c${index} ON things (c${index})`,
        ],
      }));
      const made = creation("CREATE TABLE things (id integer PRIMARY KEY)");
      return [component({ name: "things", columns: { things: ["id"] }, steps: [made, ...later] })];
    };
    const open = async (place: string, count: number) => {
      const path = join(place, STREAMS);
      const options = { path, synchronous: "NORMAL", clock: systemClock, components: steps(count) } as const;
      const file = new DatabaseFile(options);
      await file.open();
      return file;
    };
    const first = await open(folder, 0);
    const second = await open(folder, 3);
    const written = files.commits.at(-1)?.written ?? 0;
    for (let length = 0; length <= written; length += 1030) {
      await files.cut(cutFolder, files.commits.length, () => "written");
      await Deno.truncate(join(cutFolder, `${STREAMS}-wal`), length);
      const again = await open(cutFolder, 3);
      try {
        const [count, check] = await again.read((db) => [
          db.prepare("SELECT count(*) AS n FROM things").get()?.n,
          db.prepare("PRAGMA integrity_check").get()?.integrity_check,
        ]);
        assertEquals([count, check], [3, "ok"], `after ${length} of ${written} bytes`);
      } finally {
        await again.close();
      }
    }
    await second.close();
    await first.close();
  }));

Deno.test("opening a SQLite file puts its name on the disk, and that of its log", () =>
  withFolders(async (folder) => {
    const { openSync } = Deno;
    const seen: string[][] = [];
    Deno.openSync = (path, options) => {
      const file = openSync(path, options);
      if (path !== folder) return file;
      const sync = file.syncSync.bind(file);
      file.syncSync = () => {
        seen.push([...Deno.readDirSync(folder)].map(({ name }) => name));
        sync();
      };
      return file;
    };
    try {
      const options = { path: join(folder, STREAMS), synchronous: "NORMAL", clock: systemClock } as const;
      const file = new DatabaseFile(options);
      await file.open();
      await file.close();
    } finally {
      Deno.openSync = openSync;
    }
    const names = seen[0]?.filter((name) => !name.endsWith("-shm")).sort();
    assertEquals(names, [STREAMS, `${STREAMS}-wal`]);
  }));
