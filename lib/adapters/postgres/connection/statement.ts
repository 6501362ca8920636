/**
 * Statements of ours, and several of them in one exchange with the server.
 *
 * @module
 */
import type { Connection, Reply } from "./connection.ts";
import { ProviderUnavailableError } from "../../../errors.ts";
import { isServerError, ownStatementError, type ServerError, SQLSTATE, type Where } from "./errors.ts";
import type { TextValue } from "./values.ts";

/** A statement of ours, ready to run. */
export interface Planned {
  readonly text: string;
  readonly values: readonly TextValue[];
  /** For messages: `writing 'o1' to protean_shop_order`. */
  readonly doing: string;
  /** What an error of the server's means for this statement in particular. */
  readonly explain?: (error: ServerError) => Error | undefined;
}

/**
 * Begins a transaction. Outside of one the sessions are read-only: a statement that strays there changes
 * nothing.
 */
export const BEGIN: Planned = {
  text: "begin isolation level read committed read write",
  values: [],
  doing: "beginning a transaction",
  explain: (error) =>
    error.code === SQLSTATE.notSupported
      ? new ProviderUnavailableError("The database is a standby that only reads: it is tried again.", {
        cause: error,
      })
      : undefined,
};

export const COMMIT: Planned = { text: "commit", values: [], doing: "committing" };

/**
 * Sends all statements at once and waits for all answers. Rejects with what the first failure means, after
 * every one has been answered.
 */
export async function exchange(
  connection: Connection,
  statements: readonly Planned[],
  where: Where,
): Promise<readonly Reply[]> {
  const answers = await Promise.allSettled(
    connection.together(() =>
      statements.map(({ text, values }) =>
        connection.run(text, values, values.length === 0 ? "simple" : "prepared")
      )
    ),
  );
  return answers.map((answer, index) => {
    if (answer.status === "fulfilled") return answer.value;
    throw meaning(statements[index] ?? COMMIT, answer.reason, where);
  });
}

function meaning(statement: Planned, thrown: unknown, where: Where): Error {
  const explained = isServerError(thrown) ? statement.explain?.(thrown) : undefined;
  return explained ?? ownStatementError(where, statement.doing, thrown);
}
