/**
 * One group at the server: sent, and judged by the answers.
 *
 * @module
 */
import { asError, ProviderUnavailableError, RefusedError } from "../../../errors.ts";
import type { Connection, Reply } from "../connection/connection.ts";
import {
  endsConnection,
  isServerError,
  ownStatementError,
  SQLSTATE,
  type Where,
} from "../connection/errors.ts";
import { COMMIT, type Planned } from "../connection/statement.ts";
import { findFailing, findLocked } from "./look.ts";
import type { Member } from "./member.ts";
import { BEGIN_GROUP, type GroupOptions, groupStatements, type Shared } from "./statements.ts";

/** What becomes of the members; each is in one of the lists. */
export interface Verdicts {
  readonly committed: readonly Member[];
  readonly failed: ReadonlyMap<Member, Error>;
  /** Not committed, for no reason of theirs: they go with the next group. */
  readonly again: readonly Member[];
  /** Certainly not committed, as the connection was lost before: they go with the next group, some times. */
  readonly lost: ReadonlyMap<Member, Error>;
  /** They go in transactions of their own. */
  readonly alone: readonly Member[];
}

const NONE: Verdicts = { committed: [], failed: new Map(), again: [], lost: new Map(), alone: [] };

/** Commits the group, or finds out who is in the way. Never rejects. */
export async function sendGroup(options: GroupOptions): Promise<Verdicts> {
  const { connection, isSilent, members, where, names, now } = options;
  const shared = groupStatements(names, members, now);
  const everybody = () => true;
  const statements: readonly Shared[] = [
    { ...BEGIN_GROUP, concerns: everybody },
    ...shared,
    { ...COMMIT, concerns: everybody },
  ];
  if (isSilent) {
    // Nothing has been sent that could be committed.
    const [begun] = await send(connection, statements.slice(0, 1));
    if (begun?.status === "rejected") return lost(members, where, begun.reason);
  }
  const answers = await send(connection, isSilent ? statements.slice(1) : statements);
  const failedAt = answers.findIndex(({ status }) => status === "rejected");
  const last = answers.at(-1);
  if (failedAt < 0) {
    const isCommitted = last?.status === "fulfilled" && last.value.command === "COMMIT";
    if (isCommitted) return { ...NONE, committed: members };
    return lost(members, where, new Error("the server has rolled the transaction back"));
  }
  const statement = (isSilent ? statements.slice(1) : statements)[failedAt];
  const answer = answers[failedAt];
  if (!statement || answer?.status !== "rejected") return { ...NONE, again: members };
  return await judge(options, {
    statement,
    thrown: answer.reason,
    isCommit: failedAt === answers.length - 1,
  });
}

interface Failure {
  readonly statement: Shared;
  readonly thrown: unknown;
  readonly isCommit: boolean;
}

async function judge(options: GroupOptions, { statement, thrown, isCommit }: Failure): Promise<Verdicts> {
  const { connection, members, where } = options;
  if (!isServerError(thrown) || connection.loss) {
    // After an error COMMIT undoes everything. What the server says comes in order: where it has ended the
    // session before it answered, it had not come to COMMIT.
    const isUndone = isServerError(thrown) && !endsConnection(thrown) ||
      !isCommit && (isServerError(thrown) || connection.endedByServer);
    const cause = connection.loss ?? thrown;
    return isUndone ? lost(members, where, cause) : failed(members, unknownOutcome(where, cause));
  }
  const error = ownStatementError(where, statement.doing, thrown);
  try {
    switch (thrown.code) {
      case SQLSTATE.divisionByZero:
      case SQLSTATE.uniqueViolation: {
        const failing = await findFailing(options);
        if (failing.size > 0) {
          return {
            ...NONE,
            failed: failing,
            again: members.filter((one) => !failing.has(one)),
          };
        }
        break;
      }
      case SQLSTATE.lockNotAvailable: {
        const locked = await findLocked(options);
        if (locked.size > 0) {
          return { ...NONE, alone: [...locked], again: members.filter((one) => !locked.has(one)) };
        }
        return smaller(members, members);
      }
    }
  } catch (cause) {
    // Of the look: nothing is committed.
    if (connection.loss) return lost(members, where, cause);
    return smaller(members, members);
  }
  if (error instanceof ProviderUnavailableError) return failed(members, error);
  const suspects = members.filter(statement.concerns);
  if (error instanceof RefusedError) {
    const innocent = members.filter((member) => !suspects.includes(member));
    return { ...failed(suspects, error), again: innocent };
  }
  return smaller(members, suspects);
}

/** It is one of the suspects, nobody knows which: they go again in groups of half the size. */
function smaller(members: readonly Member[], suspects: readonly Member[]): Verdicts {
  const half = Math.floor(suspects.length / 2);
  const alone: Member[] = [];
  const again: Member[] = [];
  for (const member of members) {
    if (suspects.includes(member)) member.most = Math.min(member.most, half);
    (member.most < 1 ? alone : again).push(member);
  }
  return { ...NONE, alone, again };
}

function failed(members: readonly Member[], error: Error): Verdicts {
  return { ...NONE, failed: new Map(members.map((member) => [member, error])) };
}

function lost(members: readonly Member[], where: Where, thrown: unknown): Verdicts {
  const error = ownStatementError(where, "committing", thrown);
  return { ...NONE, lost: new Map(members.map((member) => [member, error])) };
}

function unknownOutcome({ name, label }: Where, thrown: unknown): ProviderUnavailableError {
  return new ProviderUnavailableError(
    `Database '${name}' (${label}) was lost while committing, and whether it has committed is not known: ` +
      `${asError(thrown).message}`,
    { cause: thrown },
  );
}

function send(
  connection: Connection,
  statements: readonly Planned[],
): Promise<readonly PromiseSettledResult<Reply>[]> {
  return Promise.allSettled(
    connection.together(() =>
      statements.map(({ text, values }) =>
        connection.run(text, values, values.length === 0 ? "simple" : "prepared")
      )
    ),
  );
}
