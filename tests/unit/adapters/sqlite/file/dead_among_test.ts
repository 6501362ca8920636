import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { deadAmong } from "../../../../../lib/adapters/sqlite/file/process_identity.ts";

Deno.test("a process is asked about once in a look, however many consumers it has", () => {
  const db = new DatabaseSync(":memory:");
  const identities = ["alive", "dead"].map((token) => ({
    pid: 1,
    startedAt: `2026-01-01T00:00:00.000Z ${token}`,
  }));
  const asked: string[] = [];
  const isDead = deadAmong(db, (_db, { startedAt }) => {
    asked.push(startedAt);
    return startedAt.endsWith("dead");
  });
  for (let consumer = 0; consumer < 100; consumer++) {
    assertEquals(identities.map(isDead), [false, true]);
  }
  assertEquals(asked.length, 2);
  db.close();
});
