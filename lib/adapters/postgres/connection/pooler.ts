/**
 * Whether a pooler stands between that lends each transaction another session. Locks of a session, LISTEN and
 * settings mean nothing there, and what we set would stay behind on a connection that others use (D14).
 *
 * @module
 */
import type { Connection } from "./connection.ts";

/**
 * Poolers hand out the session that was free last, or all in turn; either shows at the first look, as a rule.
 */
const LOOKS = 3;

/**
 * Asks for the session behind `first`, and behind one beside it that is in a transaction: two clients of a
 * pooler by session never share one, and none of them changes. `open` connects once more, without setting
 * anything.
 */
export async function isTransactionPooled(
  first: Connection,
  open: () => Promise<Connection>,
): Promise<boolean> {
  const own = await sessionOf(first);
  for (let look = 0; look < LOOKS; look++) {
    const beside = await open();
    try {
      await beside.run("begin", [], "simple");
      // Looked at before `first` is asked again: where there is one session for all, that would wait for the
      // transaction.
      if (await sessionOf(beside) === own || await sessionOf(first) !== own) return true;
      await beside.run("rollback", [], "simple");
    } finally {
      await beside.close();
    }
  }
  return false;
}

async function sessionOf(connection: Connection): Promise<number> {
  const [row] = await connection.run("select pg_backend_pid() as pid", [], "simple");
  return Number(row?.["pid"]);
}
