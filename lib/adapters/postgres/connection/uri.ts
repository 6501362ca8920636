/**
 * PostgreSQL URIs as SQLAlchemy and libpq write them:
 * `postgresql+psycopg2://user:password@host:5432/database?sslmode=require`.
 *
 * @module
 */
import { SERVER_NAME } from "../../client_name.ts";
import { strayBlank } from "../../../config/uri_text.ts";
import { ConfigurationError } from "../../../errors.ts";

export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";

/** One address to try. `host` may be a folder with a Unix socket in it. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Everything a URI says, defaults filled in. */
export interface PostgresUri {
  /** At least one; tried in order. */
  readonly places: readonly Place[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** `allow` is treated as `prefer`. @default "prefer" */
  readonly sslmode: SslMode;
  /** PEM files of the certificate authority, of the client's certificate and of its key. */
  readonly sslrootcert: string | undefined;
  readonly sslcert: string | undefined;
  readonly sslkey: string | undefined;
  /** `tls_ca_file` of the adapter's table, absolute; means the same as `sslrootcert`. */
  readonly tlsCaFile?: string;
  /** Longest time to reach one place and log in. @default 10000 */
  readonly connectTimeoutMs: number;
  /** What the server is to call the connections. @default "protean-server" */
  readonly applicationName: string;
  /** Settings for the server's session, such as `-c statement_timeout=5s`. */
  readonly options: string | undefined;
  /** For messages: where and as whom, never the password. */
  readonly label: string;
}

const SSL_MODES: readonly SslMode[] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/** Parameters of libpq that mean nothing here and do no harm. */
const IGNORED = new Set([
  ...["client_encoding", "gssencmode", "channel_binding", "fallback_application_name", "tcp_user_timeout"],
  ...["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "sslcompression"],
]);

const UNDERSTOOD = [
  ...["host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey"],
  ...["connect_timeout", "application_name", "options", "target_session_attrs"],
];

const SHAPE =
  /^postgres(?:ql)?(?:\+\w+)?:\/\/(?:(?<user>[^:/?@]*)(?::(?<password>[^@]*))?@)?(?<hosts>[^/?]*)(?:\/(?<database>[^?]*))?(?:\?(?<query>.*))?$/s;

/**
 * Reads the URI of the database called `name` in `domain.toml`. What it leaves out comes from `PGUSER` (else
 * `USER`) and `PGPASSWORD`; the database is named like the user, the host is `localhost`, the port 5432.
 * Throws `ConfigurationError`, never showing the password.
 */
export function parsePostgresUri(
  name: string,
  text: string,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): PostgresUri {
  try {
    return parse(text, env);
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    throw new ConfigurationError(
      `The database_uri of database '${name}' ${trouble.message}: write postgresql://user:password@host:5432/database.`,
      { code: "CONFIG_BAD_URI" },
    );
  }
}

/** What is wrong with a URI: the middle of a sentence. */
class Trouble extends Error {}

function parse(text: string, env: (name: string) => string | undefined): PostgresUri {
  const stray = strayBlank(text);
  if (stray !== undefined) throw new Trouble(stray);
  const parts = SHAPE.exec(text)?.groups;
  // The rest of a password would pass for a part of the host, which every message shows.
  if (parts?.["hosts"]?.includes("@") || parts?.["database"]?.includes("@")) {
    throw new Trouble("has an @ that is part of a name or a password (write it as %40)");
  }
  if (!parts) throw new Trouble("does not begin with postgresql:// or does not go on as a URI");
  const query = parameters(parts["query"] ?? "");
  const user = decode(parts["user"]) || one(query, "user") || env("PGUSER") || env("USER");
  if (!user) throw new Trouble("names no user");
  const database = decode(parts["database"]) || one(query, "dbname") || user;
  assertWrites(one(query, "target_session_attrs"));
  const places = placesOf(parts["hosts"] ?? "", query.get("host") ?? [], one(query, "port"));
  const where = places.map(({ host, port }) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
  return {
    places,
    user,
    password: decode(parts["password"]) || one(query, "password") || env("PGPASSWORD") || "",
    database,
    sslmode: sslMode(one(query, "sslmode")),
    sslrootcert: one(query, "sslrootcert"),
    sslcert: one(query, "sslcert"),
    sslkey: one(query, "sslkey"),
    connectTimeoutMs: seconds(one(query, "connect_timeout")) * 1000,
    applicationName: one(query, "application_name") ?? SERVER_NAME,
    options: one(query, "options"),
    label: `${user}@${where.join(",")}/${database}`,
  };
}

function parameters(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const pair of text.split("&").filter((part) => part !== "")) {
    const cut = pair.indexOf("=");
    const name = decode(cut < 0 ? pair : pair.slice(0, cut));
    if (IGNORED.has(name)) continue;
    if (!UNDERSTOOD.includes(name)) {
      // Behind a password it may be the rest of it, which an & has cut off.
      const shown = found.has("password") || text.includes("@") ? "" : ` '${name}'`;
      throw new Trouble(
        `has the unknown parameter${shown} (known are ${UNDERSTOOD.join(", ")}; write & as %26)`,
      );
    }
    const value = decode(cut < 0 ? "" : pair.slice(cut + 1));
    found.set(name, [...found.get(name) ?? [], value]);
  }
  return found;
}

function one(query: ReadonlyMap<string, readonly string[]>, name: string): string | undefined {
  return query.get(name)?.at(-1) || undefined;
}

/**
 * `?host=` hides the host before the path, and may be given several times (SQLAlchemy) or as a list (libpq).
 */
function placesOf(hosts: string, overriding: readonly string[], port: string | undefined): readonly Place[] {
  const given = overriding.length > 0 ? overriding : [hosts];
  const ports = (port ?? "5432").split(",");
  const all = given.flatMap((item) => item.split(","));
  // As libpq: one for all of them, or one for each.
  if (ports.length > 1 && ports.length !== all.length) {
    throw new Trouble(`has ${ports.length} ports for ${all.length} host${all.length === 1 ? "" : "s"}`);
  }
  // What stands in a query is decoded already; elsewhere a host is, once its port is separated from it.
  const decoded = overriding.length > 0 ? (host: string) => host : decode;
  return all.map((item, index) => placeOf(item, decoded, ports[index] ?? ports.at(-1) ?? "5432"));
}

function placeOf(text: string, decoded: (host: string) => string, fallback: string): Place {
  if (text.startsWith("/")) return { host: text, port: portOf(fallback) };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  if (bracketed === undefined && plain === undefined) {
    const shown = /^\[[\da-f:.]{0,40}$/i.test(text) ? `the address '${text}', which` : "an address that";
    throw new Trouble(`has ${shown} is not host:port`);
  }
  return { host: decoded(bracketed || plain || "localhost"), port: portOf(port || fallback) };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) {
    // A password without its host stands where a port does.
    const shown = /^(\d{1,9}|https?|postgres|postgresql)$/.test(text)
      ? `the port '${text}', which`
      : "a port that";
    throw new Trouble(`has ${shown} is not a number from 1 to 65535`);
  }
  return port;
}

function sslMode(text = "prefer"): SslMode {
  const mode = SSL_MODES.find((known) => known === text);
  if (!mode) throw new Trouble(`has an sslmode${word(text)} that is none of ${SSL_MODES.join(", ")}`);
  return mode;
}

/** A word as libpq has them, to be repeated: what stands behind an & may be the rest of a password. */
function word(text: string): string {
  return /^([a-z]{1,12}(-[a-z]{1,12})?|-?\d{1,9})$/.test(text) ? ` '${text}'` : "";
}

/**
 * A server can do nothing where it may not write: of several places the one that takes writes is looked for,
 * whatever it says.
 */
function assertWrites(attributes = "read-write"): void {
  if (["any", "read-write", "primary"].includes(attributes)) return;
  throw new Trouble(
    `has target_session_attrs${word(attributes)}, but the server writes: it must be read-write or primary`,
  );
}

function seconds(text = "10"): number {
  const value = Number(text);
  if (!(value > 0)) {
    throw new Trouble(`has the connect_timeout${word(text)} that is not a number of seconds above 0`);
  }
  return value;
}

function decode(text = ""): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw new Trouble("has a broken percent escape (write % as %25)");
  }
  // It ends a text on the wire, and what is behind it would be read as something else.
  if (decoded.includes("\0")) throw new Trouble("has a NUL character");
  return decoded;
}
