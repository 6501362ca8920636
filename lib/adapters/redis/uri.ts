/**
 * Where a Redis server is: `redis://user:password@host:port/db`, `rediss://` for TLS, or
 * `unix://user:password@/path?db=0` for a socket of this machine, as redis-py writes it (wire 2.16); several of
 * them with `redis+sentinel://` and `redis+cluster://` (`uri_hosts.ts`).
 *
 * @module
 */
import { strayBlank } from "../../config/uri_text.ts";
import { ConfigurationError } from "../../errors.ts";
import { HostsTrouble, type Place, type SentinelSet, shownPlace, splitHosts } from "./uri_hosts.ts";

/** A Redis address, taken apart. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly tls: boolean;
  /** Of a Unix socket, absolute; `host` and `port` say nothing then. */
  readonly path?: string;
  /** Who knows where the master is; `host` and `port` are those of the first that is asked. */
  readonly sentinel?: SentinelSet;
  /** Some nodes of a Cluster; `host` and `port` are those of the first. */
  readonly cluster?: readonly Place[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** As it may be shown to anybody: the password is masked (CFG-4). */
  readonly shown: string;
}

const EXAMPLE = "redis://host:6379/0";
const SOCKET_EXAMPLE = "unix:///run/redis/redis.sock?db=0";
/** Longest path of a Unix socket, in bytes: the system's own limit. */
const MAX_SOCKET_PATH = 107;
const SCHEMES = ["redis", "rediss", "unix", "redis+sentinel", "redis+cluster"];
const SENTINEL_PORT = 26_379;

/**
 * Reads `uri`; `key` is its place in `domain.toml`, such as `brokers.default.URI`. The database is the path,
 * or `?db=`; it defaults to 0, the port to 6379. Throws `ConfigurationError`, whose message never holds the
 * password.
 */
export function parseRedisUri(uri: string | undefined, key: string): RedisAddress {
  if (!uri) throw refused(key, `'${key}' is missing: set it to an address such as ${EXAMPLE}.`);
  const stray = strayBlank(uri);
  if (stray !== undefined) throw refused(key, `'${key}' ${stray}.`);
  const scheme = /^([^:/?#]*):\/\//.exec(uri)?.[1];
  if (scheme !== undefined && !SCHEMES.includes(scheme)) {
    throw refused(
      key,
      `'${key}' must begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://: ` +
        `its scheme is ${scheme} (a socket is unix:///path).`,
    );
  }
  const { user: [givenName, givenPassword], rest } = splitUser(uri);
  if (scheme === "redis+sentinel" || scheme === "redis+cluster") {
    return severalHosts(scheme, rest, { name: givenName, password: givenPassword }, key);
  }
  const url = scheme !== undefined && URL.canParse(rest) ? new URL(rest) : undefined;
  if (!url) {
    throw refused(
      key,
      `'${key}' is not an address such as ${EXAMPLE}: special characters of the password must be percent-encoded.`,
    );
  }
  for (const parameter of url.searchParams.keys()) {
    if (parameter !== "db") {
      // Behind a ? may be the rest of a password.
      const shown = /^[a-z_]{1,24}$/.test(parameter) ? `the parameter '${parameter}'` : "a parameter";
      throw refused(key, `'${key}' has ${shown}, but only 'db' is known: remove it.`);
    }
  }
  if (url.hash !== "") throw refused(key, `'${key}' has a # in it: write it as %23.`);
  const username = decoded(givenName, key);
  const password = decoded(givenPassword, key);
  const user = username || password ? `${username ?? ""}${password ? ":***" : ""}@` : "";
  if (scheme === "unix") {
    const path = socketPath(url, key);
    const db = database(url.searchParams.get("db"), key);
    const shown = `unix://${user}${path}?db=${db}`;
    return { host: "", port: 0, path, db, tls: false, username, password, shown };
  }
  const db = database(url.pathname.replace(/^\//, "") || url.searchParams.get("db"), key);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
  if (/,|%2c/i.test(host)) {
    throw refused(
      key,
      `'${key}' names several hosts: write redis+sentinel:// or redis+cluster://, or one host alone.`,
    );
  }
  const port = url.port === "" ? 6379 : Number(url.port);
  if (port === 0) throw refused(key, `'${key}' names port 0: ports are 1 to 65535.`);
  return {
    host,
    port,
    db,
    tls: scheme === "rediss",
    username,
    password,
    shown: `${scheme}://${user}${host.includes(":") ? `[${host}]` : host}:${port}/${db}`,
  };
}

/** The address of a sentinel set or a Cluster; `rest` is the URI without its user. */
function severalHosts(
  scheme: "redis+sentinel" | "redis+cluster",
  rest: string,
  user: { readonly name: string; readonly password: string },
  key: string,
): RedisAddress {
  const isCluster = scheme === "redis+cluster";
  const { places, path, query } = hostsOf(rest, key, isCluster ? 6379 : SENTINEL_PORT);
  for (const parameter of query.keys()) {
    if (!isCluster && ["db", "sentinel_username", "sentinel_password"].includes(parameter)) continue;
    const shown = /^[a-z_]{1,24}$/.test(parameter) ? `the parameter '${parameter}'` : "a parameter";
    throw refused(key, `'${key}' has ${shown}, which is not known here: remove it.`);
  }
  const [service, dbText] = isCluster ? ["", path[0] ?? ""] : [path[0] ?? "", path[1] ?? query.get("db")];
  if (path.length > (isCluster ? 1 : 2)) {
    throw refused(key, `'${key}' has a path of too many parts: shorten it.`);
  }
  if (!isCluster && service === "") {
    throw refused(key, `'${key}' names no service: write redis+sentinel://host:26379,host:26379/service/0.`);
  }
  const db = database(dbText ?? null, key);
  if (isCluster && db !== 0) {
    throw refused(key, `'${key}' names database ${db}: a Cluster has 0 and no other.`);
  }
  const username = decoded(user.name, key);
  const password = decoded(user.password, key);
  const shownUser = username || password ? `${username ?? ""}${password ? ":***" : ""}@` : "";
  const [first = { host: "localhost", port: 6379 }] = places;
  return {
    ...{ ...first, db, tls: false, username, password },
    ...(isCluster ? { cluster: places } : {
      sentinel: {
        ...{ places, service },
        username: query.get("sentinel_username") || undefined,
        password: query.get("sentinel_password") || undefined,
      },
    }),
    shown: `${scheme}://${shownUser}${places.map(shownPlace).join(",")}${
      isCluster ? "" : `/${service}/${db}`
    }`,
  };
}

function hostsOf(rest: string, key: string, port: number): ReturnType<typeof splitHosts> {
  try {
    return splitHosts(rest, port);
  } catch (error) {
    if (error instanceof HostsTrouble) throw refused(key, `'${key}' ${error.message}`);
    throw error;
  }
}

/**
 * User and password are everything up to the last `@`, as `maskText` has it: what is in them may look like a
 * port, a path or a query, which messages would show.
 */
function splitUser(uri: string): { readonly user: readonly [string, string]; readonly rest: string } {
  const start = uri.indexOf("://") + "://".length;
  const end = uri.lastIndexOf("@");
  if (end < start) return { user: ["", ""], rest: uri };
  const user = uri.slice(start, end);
  const colon = user.indexOf(":");
  return {
    user: colon < 0 ? [user, ""] : [user.slice(0, colon), user.slice(colon + 1)],
    rest: uri.slice(0, start) + uri.slice(end + 1),
  };
}

function socketPath(url: URL, key: string): string {
  // An address without a third slash has the path's beginning as its host.
  if (url.host !== "" || !/^\/+[^/]/.test(url.pathname)) {
    throw refused(key, `'${key}' names no absolute path of a socket: write it as in ${SOCKET_EXAMPLE}.`);
  }
  const path = decodedPath(url.pathname, key);
  // No path of a system has one: the connection would be tried for ever.
  if (path.includes("\0")) throw refused(key, `'${key}' has a NUL character in its path: remove it.`);
  if (new TextEncoder().encode(path).length > MAX_SOCKET_PATH) {
    throw refused(
      key,
      `'${key}' names a socket whose path has more than ${MAX_SOCKET_PATH} bytes, as many as a path of a ` +
        "socket may have: give it a shorter one.",
    );
  }
  return path;
}

function decodedPath(text: string, key: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused(key, `'${key}' has a path that is not percent-encoded: write % as %25.`);
  }
}

function database(given: string | null, key: string): number {
  const text = given || "0";
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw refused(
    key,
    // It may be a password whose host is missing.
    `'${key}' names ${
      /^[a-z]{1,12}$/.test(text) ? `the database '${text}'` : "a database that is no number"
    }: Redis databases are numbers, such as ${EXAMPLE}.`,
  );
}

function decoded(text: string, key: string): string | undefined {
  try {
    return decodeURIComponent(text) || undefined;
  } catch (cause) {
    throw new ConfigurationError(
      `'${key}' has a user or password that is not percent-encoded: write % as %25.`,
      { cause, code: "CONFIG_BAD_URI" },
    );
  }
}

function refused(key: string, message: string): ConfigurationError {
  return new ConfigurationError(message, { problems: [{ code: "CONFIG_BAD_URI", message, key }] });
}
