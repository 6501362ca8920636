import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteBroker } from "../../../../../lib/adapters/sqlite/broker.ts";
import { vitalityAmong } from "../../../../../lib/adapters/sqlite/file/process_identity.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

Deno.test("a process is asked about once in a look, however many consumers it has", () => {
  const db = new DatabaseSync(":memory:");
  const identities = ["alive", "dead"].map((token) => ({
    pid: 1,
    startedAt: `2026-01-01T00:00:00.000Z ${token}`,
  }));
  const asked: string[] = [];
  const vitality = vitalityAmong(db, (_db, { startedAt }) => {
    asked.push(startedAt);
    return startedAt.endsWith("dead") ? "dead" : "alive";
  });
  for (let consumer = 0; consumer < 100; consumer++) {
    assertEquals(identities.map(vitality), ["alive", "dead"]);
  }
  assertEquals(asked.length, 2);
  db.close();
});

Deno.test("a group asks about a dead process once in each look, however many consumers it left", async () => {
  const folder = await Deno.makeTempDir();
  const token = crypto.randomUUID();
  const clock = new FakeClock();
  const broker = new SqliteBroker({ name: "default", domain: "shop", settings: {}, folder, clock });
  const sign = join(folder, `shop-streams.db-alive-${token}`);
  // To ask about a process is to look for its sign.
  const statSync = Deno.statSync;
  let asked = 0;
  try {
    await broker.open();
    const group = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    await group.ensure();
    const db = new DatabaseSync(join(folder, "shop-streams.db"));
    const insert = db.prepare(
      `INSERT INTO protean_stream_consumer (grp, name, pid, started_at, seen_at)
        SELECT id, ?, 1, ?, 0 FROM protean_stream_group`,
    );
    for (let n = 0; n < 50; n++) insert.run(`gone-${n}`, `2026-01-01T00:00:00.000Z ${token}`);
    db.close();
    Deno.writeTextFileSync(sign, "");
    Deno.statSync = (path) => {
      if (path === sign) asked++;
      return statSync(path);
    };
    await group.pending({ limit: 9 });
    assertEquals(asked, 1);
    assertEquals((await group.sweep(1_000_000_000_000_000)).length, 50);
    assertEquals(asked, 2);
  } finally {
    Deno.statSync = statSync;
    await broker.close();
    await Deno.remove(folder, { recursive: true });
  }
});
