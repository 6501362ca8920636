/**
 * Processes that write to one SQLite file are killed in the middle of their work, again and again: nothing
 * that was acknowledged is lost, nothing is half written, and what the dead have held is free at once
 * (delivery 14, F19).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openFile, TABLE } from "./sqlite_worker.ts";

/** A worker process; `lines` grows as it acknowledges. */
interface Worker {
  readonly lines: string[];
  /** Resolves when so many lines have come, or the process has ended. */
  reached(count: number): Promise<void>;
  kill(): Promise<void>;
  readonly ended: Promise<Deno.CommandStatus>;
}

function start(folder: string, ...args: string[]): Worker {
  const script = new URL("./sqlite_worker.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", config, script, folder, ...args],
    stdout: "piped",
  }).spawn();
  const lines: string[] = [];
  let waiting: { count: number; resolve: () => void } | undefined;
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      if (waiting && lines.length >= waiting.count) waiting.resolve();
    }
  })();
  const ended = reading.then(() => child.status);
  return {
    lines,
    ended,
    reached: (count) =>
      Promise.race([
        ended.then(() => {}),
        new Promise<void>((resolve) => {
          if (lines.length >= count) resolve();
          waiting = { count, resolve };
        }),
      ]),
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Everything that tells of a unit of work, by its id. */
function found(folder: string) {
  const db = new DatabaseSync(join(folder, "shop.db"));
  const column = (sql: string) => db.prepare(sql).all().map(({ id }) => String(id)).sort();
  try {
    assertEquals(db.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    return {
      rows: column(`SELECT id FROM ${TABLE} WHERE id <> 'counter'`),
      outbox: column("SELECT message_id AS id FROM protean_outbox"),
      marks: column("SELECT message_id AS id FROM protean_processed"),
      events: column("SELECT replace(stream_name, 'shop::order-', '') AS id FROM messages"),
      published: column("SELECT message_id AS id FROM protean_outbox WHERE status = 'published'"),
      counter: Number(db.prepare(`SELECT version FROM ${TABLE} WHERE id = 'counter'`).get()?.version ?? -1),
    };
  } finally {
    db.close();
  }
}

Deno.test("SQLite keeps every acknowledged unit of work whole through ten kills", () =>
  withFolder(async (folder) => {
    const acknowledged: string[] = [];
    const seen: string[] = [];
    for (let round = 0; round < 10; round++) {
      const writer = start(folder, "write", `w${round}`);
      const publisher = start(folder, "publish", `p${round}`);
      await Promise.all([writer.reached(2), publisher.reached(1)]);
      await writer.reached(2 + Math.floor(Math.random() * 200));
      await Promise.all([writer.kill(), publisher.kill()]);
      acknowledged.push(...writer.lines.slice(1));
      seen.push(...publisher.lines.slice(1));
      const { rows, outbox, marks, events, counter } = found(folder);
      assertEquals(outbox, rows);
      assertEquals(marks, rows);
      assertEquals(events, rows);
      assertEquals(counter + 1, rows.length);
      for (const id of acknowledged) assert(rows.includes(id), `${id} was acknowledged and is gone`);
    }
    const { published, rows } = found(folder);
    for (const id of seen) assert(published.includes(id), `${id} was marked published and is not`);
    assert(acknowledged.length > 10, "the writers wrote");
    const file = await openFile(folder);
    const lease = await file.provider.outbox.lease({ broker: "default", owner: "survivor" });
    const left = await lease?.claim(100_000) ?? [];
    await lease?.release();
    await file.close();
    assertEquals([...published, ...left.map(({ messageId }) => messageId)].sort(), rows);
  }));

Deno.test("SQLite lets three processes write to one file at once, and loses nothing of any", () =>
  withFolder(async (folder) => {
    const count = 100;
    const workers = ["a", "b", "c"].map((name) => start(folder, "write", name, String(count)));
    const publisher = start(folder, "publish", "p");
    const results = await Promise.all(workers.map(({ ended }) => ended));
    assertEquals(results.map(({ success }) => success), [true, true, true]);
    await publisher.reached(1 + 3 * count);
    await publisher.kill();
    const { rows, outbox, marks, events, counter } = found(folder);
    assertEquals([rows.length, outbox.length, marks.length, events.length], Array(4).fill(3 * count));
    assertEquals(counter + 1, 3 * count);
    const published = publisher.lines.slice(1);
    assertEquals(published.length, 3 * count);
    assertEquals(new Set(published).size, 3 * count);
  }));
