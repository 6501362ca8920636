/**
 * What an error of PostgreSQL means to the server, keyed by SQLSTATE: wait, mend the configuration, load
 * again, or a mistake in a statement or its data.
 *
 * @module
 */
import postgres from "postgres";
import {
  asError,
  ExpectedVersionError,
  ProteanError,
  ProviderUnavailableError,
  RefusedError,
  ValidationError,
} from "../../../errors.ts";

/** Which database an error is about. */
export interface Where {
  /** Key in `domain.toml`. */
  readonly name: string;
  /** `user@host:port/database`. */
  readonly label: string;
  /** The setting that tells the password, where that is not the URI. */
  readonly passwordFrom?: string;
}

/**
 * An error that the server itself has sent; anything else means that the connection is in an unknown state.
 */
export type ServerError = InstanceType<typeof postgres.PostgresError>;

export function isServerError(thrown: unknown): thrown is ServerError {
  return thrown instanceof postgres.PostgresError && /^[0-9A-Z]{5}$/.test(thrown.code);
}

/**
 * The server closes the connection after these, or it is the wrong one to ask: a standby, after a failover
 * (D3).
 */
export function endsConnection(thrown: unknown): boolean {
  return !isServerError(thrown) || thrown.severity === "FATAL" || thrown.severity === "PANIC" ||
    thrown.code === SQLSTATE.readOnly ||
    thrown.code === SQLSTATE.notSupported && /recovery/.test(thrown.message);
}

export const SQLSTATE = {
  notSupported: "0A000",
  readOnly: "25006",
  divisionByZero: "22012",
  uniqueViolation: "23505",
  undefinedTable: "42P01",
  tooManyConnections: "53300",
  lockNotAvailable: "55P03",
} as const;

type Meaning = "unavailable" | "configuration" | "conflict" | "data";

/**
 * Exact states first, then classes (the first two characters). What is in neither is a mistake in a
 * statement.
 */
const meanings: ReadonlyMap<string, readonly [Meaning, string]> = new Map([
  ["08", ["unavailable", "the connection broke; it is opened again"]],
  // What poolers say with it is about the client as often as about a connection.
  ["08P01", ["unavailable", "it is tried again"]],
  ["25006", ["unavailable", "the server only reads; it is tried again after a failover"]],
  ["25P03", ["unavailable", "the transaction was idle for longer than the server allows"]],
  ["28", ["configuration", "correct user and password in the database_uri, or the server's pg_hba.conf"]],
  ["28P01", ["configuration", "correct user and password in the database_uri"]],
  ["3D000", ["configuration", "create the database, or correct its name in the database_uri"]],
  ["3F000", ["configuration", "create the schema, or correct 'schema' in domain.toml"]],
  ["40001", ["conflict", "the work is tried again"]],
  ["40P01", ["conflict", "the work is tried again"]],
  ["42501", ["configuration", "grant the rights to the role of the database_uri"]],
  ["53", ["unavailable", "the server is short of a resource; it is tried again"]],
  ["53300", ["unavailable", "raise max_connections there, or lower pool_size and max_overflow"]],
  ["57014", ["unavailable", "the statement was cancelled, by its timeout or by an operator"]],
  ["57P", ["unavailable", "the server is starting up or shutting down; it is tried again"]],
  ["57P04", ["configuration", "the database was dropped: create it again"]],
  ["55P03", ["unavailable", "a lock was not free in time; the work is tried again"]],
  ["58", ["unavailable", "the server cannot use its files; its log says more"]],
  ["22", ["data", "the value cannot be stored"]],
  ["54000", ["data", "the value is too large"]],
]);

function meaningOf(state: string): readonly [Meaning, string] | undefined {
  return meanings.get(state) ?? meanings.get(state.slice(0, 3)) ?? meanings.get(state.slice(0, 2));
}

/** A pooler that passes on only some of what a client sets at the start: `options`, as a rule. */
const REFUSED_PARAMETER = /unsupported startup parameter/i;

/**
 * Why a connection could not be opened, as one of ours: `RefusedError` where only an operator can mend it,
 * `ProviderUnavailableError` where waiting may help.
 */
export function connectError(where: Where, thrown: unknown): Error {
  if (thrown instanceof ProteanError) return thrown;
  if (!isServerError(thrown)) {
    const advice = "start the server, or correct host and port in the database_uri";
    return unreached(where, `cannot be reached: ${asError(thrown).message} (${advice})`, thrown);
  }
  const [meaning, advice] = REFUSED_PARAMETER.test(thrown.message)
    ? ["configuration", "remove it from the database_uri, or have the pooler ignore it"]
    : where.passwordFrom !== undefined && thrown.code.startsWith("28")
    ? ["configuration", `see that ${where.passwordFrom} tells the password that is valid now`]
    : meaningOf(thrown.code) ?? ["configuration", "correct the database_uri"];
  if (meaning === "unavailable") {
    return unreached(where, `refuses connections: ${thrown.message} (${advice})`, thrown);
  }
  return new RefusedError(
    `Database '${where.name}' (${where.label}) refuses the connection: ${thrown.message}: ${advice}.`,
    { code: "DATABASE_REFUSED", cause: thrown },
  );
}

/** PgBouncer at its `max_client_conn`, which has no SQLSTATE of its own for it. */
const POOLER_IS_FULL = /no more connections allowed/;

/**
 * "Too many connections", as `connectError` tells it: others are starting too, or leaving; a moment later
 * there may be room (POOL-2, F17).
 */
export function isTooMany(error: unknown): boolean {
  return error instanceof ProviderUnavailableError && isServerError(error.cause) &&
    (error.cause.code === SQLSTATE.tooManyConnections || POOLER_IS_FULL.test(error.cause.message));
}

/** A failed statement of ours as one of our errors; `doing` ends the sentence "… failed while …". */
export function ownStatementError(where: Where, doing: string, thrown: unknown): Error {
  const known = commonError(where, doing, thrown);
  if (known) return known;
  const { message, code } = thrown as ServerError;
  if (code === SQLSTATE.undefinedTable) {
    return new RefusedError(
      `Database '${where.name}' (${where.label}) lacks a table: ${message}: run 'protean-server db setup'.`,
      { code: "DATABASE_TABLE_MISSING", cause: thrown },
    );
  }
  if (meaningOf(code)?.[0] === "data") {
    return new ValidationError(`Database '${where.name}' cannot store the value, ${doing}: ${message}.`, [], {
      outline: `Database '${where.name}' cannot store the value, ${doing} (SQLSTATE ${code}).`,
      cause: thrown,
    });
  }
  if (code.startsWith("42") && !isOfItsRow(thrown as ServerError)) {
    return new RefusedError(
      `A table of database '${where.name}' (${where.label}) is not as expected, ${doing}: ${message}: ` +
        "compare it with what 'protean-server db setup' creates in an empty schema.",
      { code: "DATABASE_TABLE_DIFFERS", cause: thrown },
    );
  }
  return new ProteanError(`Database '${where.name}' failed ${doing}: ${message} (SQLSTATE ${code}).`, {
    code: "SQL",
    outline: `Database '${where.name}' failed ${doing} (SQLSTATE ${code}).`,
    cause: thrown,
  });
}

/** A failed statement of the user's. The server's own error is the `cause`; its `code` is the SQLSTATE. */
export function userStatementError(where: Where, thrown: unknown): Error {
  const known = commonError(where, "running a statement", thrown);
  if (known) return known;
  const { message, code } = thrown as ServerError;
  if (code === SQLSTATE.undefinedTable) {
    return new RefusedError(
      `Database '${where.name}' (${where.label}) lacks a table that a statement names: ${message}: create it, or correct the name.`,
      { code: "DATABASE_TABLE_MISSING", cause: thrown, concerns: "statement" },
    );
  }
  return new ProteanError(
    `A statement failed on database '${where.name}': ${message} (SQLSTATE ${code}).`,
    {
      code: "SQL",
      outline: `A statement failed on database '${where.name}' (SQLSTATE ${code}).`,
      cause: thrown,
    },
  );
}

/** A policy refuses the values of one row, with the code of a right that nobody has. */
function isOfItsRow({ code, routine }: ServerError): boolean {
  return code === "42501" && routine === "ExecWithCheckOptions";
}

/** What means the same whoever wrote the statement; undefined for a mistake in it. */
function commonError(where: Where, doing: string, thrown: unknown): Error | undefined {
  if (thrown instanceof ProteanError) return thrown;
  if (!isServerError(thrown)) {
    return unavailable(where, `was lost ${doing}: ${asError(thrown).message}`, thrown);
  }
  const [meaning, advice] = isOfItsRow(thrown) ? [] : meaningOf(thrown.code) ?? [];
  if (meaning === "unavailable") {
    return unavailable(where, `failed ${doing}: ${thrown.message} (${advice})`, thrown);
  }
  if (meaning === "conflict") {
    return new ExpectedVersionError(
      `Database '${where.name}' undid the work, ${doing}: ${thrown.message} (${advice}).`,
      { cause: thrown },
    );
  }
  if (meaning === "configuration") {
    return new RefusedError(
      `Database '${where.name}' (${where.label}) refused, ${doing}: ${thrown.message}: ${advice}.`,
      { code: "DATABASE_REFUSED", cause: thrown },
    );
  }
  return undefined;
}

function unavailable(where: Where, what: string, cause: unknown): ProviderUnavailableError {
  return new ProviderUnavailableError(`Database '${where.name}' (${where.label}) ${what}.`, { cause });
}

function unreached(where: Where, what: string, cause: unknown): ProviderUnavailableError {
  return new ProviderUnavailableError(`Database '${where.name}' (${where.label}) ${what}.`, {
    cause,
    isUnreached: true,
  });
}
