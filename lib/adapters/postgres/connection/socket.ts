/**
 * A connected socket to a PostgreSQL server, encrypted as `sslmode` asks. The driver gets it ready made: it
 * could neither be cut while connecting nor say in one sentence what is wrong.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type ConnectionOptions as TlsOptions } from "node:tls";
import { asError, ConfigurationError, ProteanError, ProviderUnavailableError } from "../../../errors.ts";
import type { Where } from "./errors.ts";
import type { Place, PostgresUri } from "./uri.ts";

/** Protocol message: "may we speak TLS?", answered with one byte. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = "S".charCodeAt(0);
const NO = "N".charCodeAt(0);
/**
 * After so long without traffic the system asks the other end for a sign of life, which also keeps firewalls
 * from forgetting.
 */
const KEEPALIVE_MS = 10_000;

/** A database, as `domain.toml` names it. */
interface Target extends Where {
  readonly uri: PostgresUri;
}

function nameOf({ name, label }: Where): string {
  return `Database '${name}' (${label})`;
}

/**
 * Connects to `place`. Rejects with `ConfigurationError` when something else than PostgreSQL answers there or
 * TLS cannot be had as asked, and with the system's error when nobody answers. `signal` cuts it at any point.
 */
export async function dial(place: Place, target: Target, signal: AbortSignal): Promise<Socket> {
  const { uri } = target;
  const socket = begin(place);
  await ready(socket, "connect", signal);
  // Without it, a small statement waits for the acknowledgement of the one before.
  if (!isFolder(place)) socket.setNoDelay(true).setKeepAlive(true, KEEPALIVE_MS);
  if (isFolder(place) || uri.sslmode === "disable") return socket;
  const answer = await ask(socket, signal);
  if (answer === YES) return await encrypt(socket, place, target, signal);
  if (answer === NO && (uri.sslmode === "prefer" || uri.sslmode === "allow")) return socket;
  socket.destroy();
  if (answer === NO) {
    throw new ConfigurationError(
      `${nameOf(target)} offers no TLS, and its database_uri has sslmode=${uri.sslmode}: ` +
        "switch ssl on there, or use sslmode=prefer.",
      { code: "POSTGRES_TLS" },
    );
  }
  throw new ConfigurationError(
    `${nameOf(target)} answers, but it is not PostgreSQL: correct host and port in the database_uri.`,
    { code: "POSTGRES_ADDRESS" },
  );
}

/**
 * Sends a cancel request for another connection's running statement; whether it arrives in time is not known.
 */
export async function requestCancel(
  place: Place,
  backend: { readonly pid: number; readonly secret: number },
  signal: AbortSignal,
): Promise<void> {
  const socket = begin(place);
  await ready(socket, "connect", signal);
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80877102, 4);
  request.writeInt32BE(backend.pid | 0, 8);
  request.writeInt32BE(backend.secret | 0, 12);
  socket.end(request);
  socket.resume();
  await ready(socket, "close", signal);
}

function begin(place: Place): Socket {
  const socket = isFolder(place)
    ? connect({ path: `${place.host}/.s.PGSQL.${place.port}` })
    : connect({ host: place.host, port: place.port });
  // Whoever waits listens too; this one is for the moments between, where an error would end the process.
  return socket.on("error", () => {});
}

function isFolder(place: Place): boolean {
  return place.host.startsWith("/");
}

/** Waits for one event; an error, the end of the connection or `signal` destroys the socket and rejects. */
function ready(socket: Socket, event: string, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off(event, done).off("error", failed).off("close", closed);
      signal.removeEventListener("abort", cut);
      act();
    };
    const done = (value: unknown) => settle(() => resolve(value));
    const failed = (error: Error) => {
      settle(() => reject(error));
      socket.destroy();
    };
    const closed = () => failed(new ProviderUnavailableError("The server closed the connection."));
    const cut = () => failed(asError(signal.reason));
    socket.on(event, done).on("error", failed);
    if (event !== "close") socket.on("close", closed);
    signal.addEventListener("abort", cut, { once: true });
    if (signal.aborted) cut();
  });
}

async function ask(socket: Socket, signal: AbortSignal): Promise<number | undefined> {
  socket.write(SSL_REQUEST);
  const reply = await ready(socket, "data", signal);
  // More than one byte would be text that somebody in between has slipped in before the encryption.
  return reply instanceof Uint8Array && reply.length === 1 ? reply[0] : undefined;
}

async function encrypt(
  socket: Socket,
  place: Place,
  target: Target,
  signal: AbortSignal,
): Promise<Socket> {
  try {
    const secure = connectTls({ ...await tlsOptions(target.uri, place), socket }).on("error", () => {});
    await ready(secure, "secureConnect", signal);
    return secure;
  } catch (cause) {
    socket.destroy();
    // A connection that breaks in the middle says nothing about certificates.
    if (signal.aborted || cause instanceof ProteanError || /^E[A-Z]+$/.test(codeOf(cause))) throw cause;
    throw new ConfigurationError(
      `${nameOf(target)} fails the checks of its TLS (sslmode=${target.uri.sslmode}): ${
        asError(cause).message
      }; check its certificate, its name and sslrootcert.`,
      { code: "POSTGRES_TLS", cause },
    );
  }
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

async function tlsOptions(uri: PostgresUri, place: Place): Promise<TlsOptions> {
  const { sslmode, sslrootcert, sslcert, sslkey } = uri;
  const ca = sslrootcert === "system" ? undefined : await pem("sslrootcert", sslrootcert);
  const [cert, key] = [await pem("sslcert", sslcert), await pem("sslkey", sslkey)];
  // As libpq: a named authority is checked also when encryption alone was asked for.
  const verified = sslmode === "verify-full" || sslmode === "verify-ca" || sslrootcert !== undefined;
  return {
    rejectUnauthorized: verified,
    ...(isIP(place.host) ? {} : { servername: place.host }),
    // Left alone, it would compare with 'localhost': the socket comes connected, without the name of its
    // host.
    checkServerIdentity: (_, certificate) =>
      sslmode === "verify-full" ? checkServerIdentity(place.host, certificate) : undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

async function pem(parameter: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new ConfigurationError(
      `The file '${path}' that ${parameter} of the database_uri names cannot be read: ${
        asError(cause).message
      }.`,
      { code: "POSTGRES_TLS", cause },
    );
  }
}
