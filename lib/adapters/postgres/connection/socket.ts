/**
 * A connected socket to a PostgreSQL server, encrypted as `sslmode` asks. The driver gets it ready made: it
 * could neither be cut while connecting nor say in one sentence what is wrong.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type ConnectionOptions as TlsOptions } from "node:tls";
import { readCertificates, readPrivateKey } from "../../../config/pem_file.ts";
import {
  asError,
  ConfigurationError,
  ProteanError,
  ProviderUnavailableError,
  RefusedError,
} from "../../../errors.ts";
import { CERTIFICATE_REMEDIES, isHandshakeComplete, type TlsFault, tlsFault } from "../../tls.ts";
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
 * Connects to `place`. Rejects with `ConfigurationError` when something else than PostgreSQL answers there,
 * with `RefusedError` when TLS cannot be had as asked, and with the system's error when nobody answers.
 * `signal` cuts it at any point.
 */
export async function dial(place: Place, target: Target, signal: AbortSignal): Promise<Socket> {
  const encrypted = !isFolder(place) && target.uri.sslmode !== "disable";
  // Read before the server is asked: between its answer and the handshake there is no time for it.
  const files = encrypted ? await tlsFiles(target) : {};
  const socket = begin(place);
  await ready(socket, "connect", signal);
  // Without it, a small statement waits for the acknowledgement of the one before.
  if (!isFolder(place)) socket.setNoDelay(true).setKeepAlive(true, KEEPALIVE_MS);
  if (!encrypted) return socket;
  try {
    socket.write(SSL_REQUEST);
    // Deno before 2.7 goes on reading unless the handshake begins in the very listener that reads the answer.
    return await ready(socket, "data", signal, (reply) => {
      const answer = answerIn(reply);
      if (answer === YES) return handshake(socket, tlsOptions(target.uri, place, files), signal);
      return unencrypted(socket, answer, target);
    });
  } catch (error) {
    socket.destroy();
    // A connection that breaks in the middle says nothing about certificates.
    const fault = signal.aborted || error instanceof ProteanError ? undefined : tlsFault(asError(error));
    if (fault === undefined) throw error;
    throw handshakeError(target, asError(error), fault);
  }
}

/** The socket of a server that was asked for TLS and does not begin with it. */
function unencrypted(socket: Socket, answer: number | undefined, target: Target): Socket {
  const { sslmode } = target.uri;
  if (answer !== NO) {
    throw new ConfigurationError(
      `${nameOf(target)} answers, but it is not PostgreSQL: correct host and port in the database_uri.`,
      { code: "POSTGRES_ADDRESS" },
    );
  }
  if (sslmode === "prefer" || sslmode === "allow") return socket;
  throw new RefusedError(
    `${nameOf(target)} offers no TLS, and its database_uri has sslmode=${sslmode}: ` +
      "switch ssl on there, or use sslmode=prefer.",
    { code: "POSTGRES_TLS" },
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

/**
 * Waits for one event; an error, the end of the connection or `signal` destroys the socket and rejects.
 * `take` is called within the event itself.
 */
function ready<T>(
  socket: Socket,
  event: string,
  signal: AbortSignal,
  take?: (value: unknown) => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off(event, done).off("error", failed).off("close", closed);
      signal.removeEventListener("abort", cut);
      act();
    };
    const done = (value: unknown) =>
      settle(() => {
        try {
          resolve(take?.(value) as T);
        } catch (error) {
          reject(error);
        }
      });
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

function answerIn(reply: unknown): number | undefined {
  // More than one byte would be text that somebody in between has slipped in before the encryption.
  return reply instanceof Uint8Array && reply.length === 1 ? reply[0] : undefined;
}

function handshake(socket: Socket, options: TlsOptions, signal: AbortSignal): Promise<Socket> {
  const secure = connectTls({ ...options, socket });
  secure.on("error", () => {});
  return ready(secure, "secureConnect", signal, () =>
    isHandshakeComplete(secure)
      ? secure
      // Its error is on the way.
      : ready<never>(secure, "end", signal, () => {
        throw new ProviderUnavailableError("The server broke off the TLS handshake.");
      }));
}

function handshakeError(target: Target, cause: Error, fault: TlsFault): RefusedError {
  return new RefusedError(
    `${nameOf(target)} fails the checks of its TLS (sslmode=${target.uri.sslmode}): ` +
      `${cause.message.replace(/\.$/, "")}; ${remedyFor(fault, target)}.`,
    { code: "POSTGRES_TLS", cause },
  );
}

function remedyFor(fault: TlsFault, target: Target): string {
  const { name, uri } = target;
  switch (fault) {
    case "authority":
      return uri.sslrootcert === undefined && uri.tlsCaFile === undefined
        ? "name the file with the certificate of its authority, " +
          `as sslrootcert in the database_uri or as 'databases.${name}.tls_ca_file'`
        : `${caSetting(target)} does not name the authority that has signed its certificate: correct it`;
    case "name":
      return "write a host that its certificate names into the database_uri, or use sslmode=verify-ca";
    case "client":
      return "it asks for a certificate of the client: name one as sslcert and sslkey in the database_uri";
    case "time":
    case "leaf":
      return CERTIFICATE_REMEDIES[fault];
    default:
      return `check its certificate, and ${caSetting(target)}`;
  }
}

function caSetting({ name, uri }: Pick<Target, "name" | "uri">): string {
  return uri.tlsCaFile === undefined ? inUri(name, "sslrootcert") : `'databases.${name}.tls_ca_file'`;
}

function inUri(name: string, parameter: string): string {
  return `${parameter} in 'databases.${name}.database_uri'`;
}

type TlsFiles = Pick<TlsOptions, "ca" | "cert" | "key">;

/**
 * What the files hold that the URI and the adapter's table name. Throws `RefusedError` for one that cannot be
 * used.
 */
export async function tlsFiles(target: Pick<Target, "name" | "uri">): Promise<TlsFiles> {
  const { name, uri } = target;
  const { sslrootcert, tlsCaFile, sslcert, sslkey } = uri;
  const authorities = tlsCaFile ?? (sslrootcert === "system" ? undefined : sslrootcert);
  return {
    ...(authorities !== undefined && {
      ca: await readCertificates(authorities, caSetting(target)),
    }),
    ...(sslcert !== undefined && { cert: await readCertificates(sslcert, inUri(name, "sslcert")) }),
    ...(sslkey !== undefined && { key: await readPrivateKey(sslkey, inUri(name, "sslkey")) }),
  };
}

function tlsOptions(uri: PostgresUri, { host }: Place, files: TlsFiles): TlsOptions {
  const { sslmode, sslrootcert, tlsCaFile } = uri;
  // As libpq: a named authority is checked also when encryption alone was asked for.
  const named = sslrootcert !== undefined || tlsCaFile !== undefined;
  return {
    ...files,
    // Said in either case: left to itself, the environment (NODE_TLS_REJECT_UNAUTHORIZED) would decide.
    rejectUnauthorized: named || sslmode === "verify-full" || sslmode === "verify-ca",
    // The socket comes connected, without the name of its host: the name to compare with is told here. Deno
    // before 2.7 compares by itself, unless the check, asked about nothing, has nothing against it.
    host,
    ...(isIP(host) ? {} : { servername: host }),
    checkServerIdentity: (_, certificate) =>
      sslmode === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
  };
}
