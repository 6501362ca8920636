/**
 * The adapter's table of `domain.toml` (wire 6.5, design 6).
 *
 * @module
 */
import { type Clock, systemClock } from "../../async/clock.ts";
import { ConfigurationError } from "../../errors.ts";
import { type PasswordSource, passwordSource } from "../password.ts";
import { parsePostgresUri, type PostgresUri } from "./connection/uri.ts";

export interface PostgresSettings {
  readonly uri: PostgresUri;
  /** Where the password comes from that the URI does not have. */
  readonly password: PasswordSource | undefined;
  /** @default "public" */
  readonly schema: string;
  /** Connections kept open when idle. @default 5 */
  readonly poolSize: number;
  /** Connections opened beyond `poolSize` under load; -1 is without limit. @default 10 */
  readonly maxOverflow: number;
  /** Seconds that a connection beyond `poolSize` waits to be wanted again before it is closed. @default 2 */
  readonly overflowIdle: number;
  /** Seconds after which a connection is replaced; -1 never. @default 1800 */
  readonly poolRecycle: number;
  /** Seconds to wait for a connection. @default 30 */
  readonly poolTimeout: number;
  /** @default true */
  readonly poolPrePing: boolean;
  /** Units of work that commit in one transaction; 1: each in its own. @default 200 */
  readonly commitGroupSize: number;
  /** `[outbox] notify`, handed in by whoever creates the adapter. @default true */
  readonly outboxNotify: boolean;
}

/** PostgreSQL cuts longer names, so that what it makes is not found under the name that was given. */
const MAX_NAME_BYTES = 63;

function isName(text: string): boolean {
  return !/\p{Cc}/u.test(text) && text.isWellFormed() &&
    new TextEncoder().encode(text).length <= MAX_NAME_BYTES;
}

/** Reads the table. Throws `ConfigurationError`. */
export function postgresSettings(
  name: string,
  table: Readonly<Record<string, unknown>>,
  clock: Clock = systemClock,
): PostgresSettings {
  const uri = table["database_uri"];
  if (typeof uri !== "string") {
    throw new ConfigurationError(
      `Database '${name}' has no database_uri: write postgresql://user:password@host:5432/database.`,
      { code: "CONFIG_BAD_URI" },
    );
  }
  const refuse = (key: string, must: string) => {
    const message = `'databases.${name}.${key}' must ${must}: current value is ${
      JSON.stringify(table[key])
    }.`;
    return new ConfigurationError(message, {
      problems: [{ code: "CONFIG_INVALID_VALUE", message, key: `databases.${name}.${key}` }],
    });
  };
  const number = (key: string, fallback: number) => {
    const value = Number(table[key] ?? fallback);
    if (Number.isFinite(value)) return value;
    throw refuse(key, "be a number");
  };
  const schema = typeof table["schema"] === "string" && table["schema"] !== "" ? table["schema"] : "public";
  if (!isName(schema)) {
    throw refuse("schema", `be a name of at most ${MAX_NAME_BYTES} bytes without control characters`);
  }
  // PGPASSWORD is there for everybody, and gives way to what is said about this database.
  const inUri = parsePostgresUri(name, uri, (key) => key === "PGPASSWORD" ? undefined : Deno.env.get(key));
  return {
    uri: withAuthority(name, parsePostgresUri(name, uri), table["tls_ca_file"]),
    password: passwordSource(`databases.${name}`, table, { clock, inUri: inUri.password !== "" }),
    schema,
    poolSize: number("pool_size", 5),
    maxOverflow: number("max_overflow", 10),
    overflowIdle: number("overflow_idle_seconds", 2),
    poolRecycle: number("pool_recycle", 1800),
    poolTimeout: number("pool_timeout", 30),
    poolPrePing: table["pool_pre_ping"] !== false,
    commitGroupSize: number("commit_group_size", 200),
    outboxNotify: table["outbox_notify"] !== false,
  };
}

/** Throws `ConfigurationError` where the file would have no effect, or is named twice. */
function withAuthority(name: string, uri: PostgresUri, file: unknown): PostgresUri {
  if (typeof file !== "string" || file === "") return uri;
  const clash = uri.sslrootcert !== undefined
    ? "and sslrootcert in its database_uri name an authority each: keep one of them"
    : uri.sslmode === "disable"
    ? "has no effect with sslmode=disable in its database_uri: remove one of them"
    : undefined;
  if (clash === undefined) return { ...uri, tlsCaFile: file };
  const key = `databases.${name}.tls_ca_file`;
  const message = `'${key}' ${clash}.`;
  throw new ConfigurationError(message, { problems: [{ code: "CONFIG_INVALID_VALUE", message, key }] });
}
