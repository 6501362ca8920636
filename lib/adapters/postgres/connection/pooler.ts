/**
 * Whether a pooler stands between that lends each transaction another session. Locks of a session, LISTEN and
 * settings mean nothing there, and what we set would stay behind on a connection that others use (D14).
 *
 * @module
 */
import { asError } from "../../../errors.ts";
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
      if (!await mayBegin(beside)) return true;
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

/** A pooler that lends each statement another session refuses transactions, and says so. */
async function mayBegin(connection: Connection): Promise<boolean> {
  try {
    await connection.run("begin", [], "simple");
    return true;
  } catch (error) {
    if (/statement pooling/.test(asError(error).message)) return false;
    throw error;
  }
}

async function sessionOf(connection: Connection): Promise<number> {
  const [row] = await connection.run("select pg_backend_pid() as pid", [], "simple");
  return Number(row?.["pid"]);
}
