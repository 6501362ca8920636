/**
 * The workers on one SQLite file, a row each.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { creation } from "../migrations.ts";
import { type Announcement, byId, MOST_PEERS, type Peer, type Peers } from "../ports.ts";
import type { DatabaseFile } from "./file/database_file.ts";
import { component } from "./file/migrate.ts";
import { statement } from "./file/statements.ts";

/**
 * Ids are JSON texts, for SQLite's end at a NUL. Times are wall-clock milliseconds, because several processes
 * share them.
 */
export const peerComponent = component({
  name: "peers",
  columns: { protean_worker: ["id", "fields", "seen_at", "ttl_ms"] },
  steps: [creation(
    `CREATE TABLE protean_worker (id text NOT NULL PRIMARY KEY, fields text NOT NULL, seen_at integer NOT NULL,
  ttl_ms integer NOT NULL) WITHOUT ROWID, STRICT`,
  )],
});

const ANNOUNCE = `INSERT INTO protean_worker (id, fields, seen_at, ttl_ms) VALUES (?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET fields = excluded.fields, seen_at = excluded.seen_at, ttl_ms = excluded.ttl_ms`;
const FORGET_OLD = "DELETE FROM protean_worker WHERE seen_at + ttl_ms <= ?";
const WITHDRAW = "DELETE FROM protean_worker WHERE id = ?";
const LIST = "SELECT id, fields, seen_at FROM protean_worker WHERE seen_at + ttl_ms > ? ORDER BY id LIMIT ?";

export class SqlitePeers implements Peers {
  constructor(private readonly file: DatabaseFile, private readonly clock: Clock) {}

  async announce({ id, fields }: Announcement, ttlMs: number): Promise<void> {
    const now = this.clock.now();
    await this.file.write((db) => {
      statement(db, FORGET_OLD).run(now);
      statement(db, ANNOUNCE).run(JSON.stringify(id), JSON.stringify(fields), now, ttlMs);
    });
  }

  async withdraw(id: string): Promise<void> {
    await this.file.write((db) => void statement(db, WITHDRAW).run(JSON.stringify(id)));
  }

  async list(): Promise<readonly Peer[]> {
    const now = this.clock.now();
    const rows = await this.file.read((db) => statement(db, LIST).all(now, MOST_PEERS));
    return rows.map(({ id, fields, seen_at }) => ({
      id: JSON.parse(String(id)),
      fields: JSON.parse(String(fields)),
      ageMs: Math.max(0, now - Number(seen_at)),
    })).sort(byId);
  }
}
