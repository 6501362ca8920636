/**
 * Prepared statements, kept per connection.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { prepare } from "./older_runtime.ts";

/** More texts than the adapters have; `ctx.sql` with ever new texts must not grow without bound. */
const KEPT = 256;
const caches = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/**
 * The statement for `sql` on `db`, prepared once. Statements are synchronous: run it to its end before the
 * next `await`.
 */
export function statement(db: DatabaseSync, sql: string): StatementSync {
  let cache = caches.get(db);
  if (!cache) caches.set(db, cache = new Map());
  const known = cache.get(sql);
  if (known) return known;
  const prepared = prepare(db, sql);
  if (cache.size >= KEPT) {
    const oldest = cache.keys().next();
    if (!oldest.done) cache.delete(oldest.value);
  }
  cache.set(sql, prepared);
  return prepared;
}
