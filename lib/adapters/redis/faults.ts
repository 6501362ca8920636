/**
 * What Redis and its driver say, in our own errors: `UnavailableError` where waiting may help, `RefusedError`
 * where only an operator can, `GroupMissingError` for the reader. One sentence each; passwords and payloads
 * never in them.
 *
 * @module
 */
import { asError, GroupMissingError, ProteanError, RefusedError } from "../../errors.ts";
import { MASK } from "../../config/secrets.ts";
import { CERTIFICATE_REMEDIES, type TlsFault, tlsFault } from "../tls.ts";
import type { RedisSettings } from "./settings.ts";

/** What an error may be about, for its sentence. */
export interface FaultContext {
  /** The key that the command touched. */
  readonly key?: string | undefined;
  /** Why the connection went, where the driver only says that it did. */
  readonly reason?: string | undefined;
}

/** First words of replies after which the same command may succeed later. */
const PASSING = new Set([
  "READONLY",
  "OOM",
  "LOADING",
  "MISCONF",
  "MASTERDOWN",
  "NOREPLICAS",
  "BUSY",
  "CLUSTERDOWN",
  "TRYAGAIN",
]);

/**
 * Whether a reply says that this server is the wrong one to ask, now or for ever: a master that became a
 * replica keeps its connections (D1). What stands behind the address is found by dialling anew.
 */
export function isWrongServer(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "ReplyError" &&
    /^(READONLY|MASTERDOWN|LOADING)\b|^UNBLOCKED .*instance state changed/.test(thrown.message);
}

/** Whether a node of a Cluster says that another one has the key. */
export function isRedirection(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "ReplyError" && /^(MOVED|ASK) /.test(thrown.message);
}

/** The server's own error behind one of ours, where there is one. */
export function replyBehind(thrown: unknown): Error {
  const error = asError(thrown);
  return error instanceof ProteanError && error.cause instanceof Error && error.cause.name === "ReplyError"
    ? error.cause
    : error;
}

/** Anything thrown by a command, a handshake or a connection, as one of our errors. Ours pass through. */
export function explain(thrown: unknown, settings: RedisSettings, context: FaultContext = {}): Error {
  if (thrown instanceof ProteanError) return thrown;
  const cause = withoutSecrets(asError(thrown), settings);
  if (cause.name !== "ReplyError") {
    const reason = context.reason === undefined ? cause.message : cleaned(context.reason, settings);
    const fault = settings.address.tls ? tlsFault(cause) ?? tlsFault(new Error(reason)) : undefined;
    return fault === undefined
      ? unavailable(settings, reason, cause)
      : untrusted(fault, settings, reason, cause);
  }
  const text = cause.message;
  const [word = ""] = text.split(" ", 1);
  // A blocked read is told in two ways that its stream or group went.
  if (word === "NOGROUP" || text === "UNBLOCKED the stream key no longer exists") {
    return new GroupMissingError(
      `The stream or consumer group${of(context)} in ${
        place(settings)
      } does not exist: create it and read again.`,
      { cause },
    );
  }
  if (/max number of clients/.test(text)) {
    const advice = "raise maxclients there, or lower max_connections of those that share it";
    return unavailable(settings, `${text}: ${advice}`, cause);
  }
  const isMoving = settings.address.cluster !== undefined && isRedirection(cause);
  if (PASSING.has(word) || isMoving) return unavailable(settings, text, cause);
  const advice = adviceFor(word, text, settings, context);
  if (!advice) return unavailable(settings, text, cause);
  const { message, ...about } = advice;
  return new RefusedError(message, { cause, ...about });
}

/**
 * The reply of a script; one that is a list with an error is about the key that is named: a script touches
 * several, and whoever is told the wrong one removes that. Throws it as `Connection.call` expects it.
 */
export function unlessRefused(reply: unknown, settings: RedisSettings, key: string): unknown {
  const error: unknown = Array.isArray(reply) ? reply[0] : undefined;
  if (!(error instanceof Error)) return reply;
  throw isWrongServer(error) ? error : explain(error, settings, { key });
}

/** The connection could not be made, broke, or is refused for now. */
export function unavailable(settings: RedisSettings, reason: string, cause?: Error): Error {
  return new settings.Unavailable(
    `${capital(place(settings))} is not available (${
      reason.replace(/\.$/, "")
    }): it is tried again until it answers.`,
    cause ? { cause } : {},
  );
}

/** The checks of TLS have failed, which no waiting mends. */
function untrusted(fault: TlsFault, settings: RedisSettings, reason: string, cause: Error): RefusedError {
  const { section, tlsCaFile } = settings;
  const remedies: { readonly [K in TlsFault]: string } = {
    ...CERTIFICATE_REMEDIES,
    authority: tlsCaFile === undefined
      ? `name the file with the certificate of its authority as '${section}.tls_ca_file'`
      : `'${section}.tls_ca_file' does not name the authority that has signed its certificate: correct it`,
    name: `write a host that its certificate names into '${section}.URI'`,
    client: "certificates of the client are not offered: set tls-auth-clients to no or optional there",
    plain: `it does not talk TLS at this port: correct the port, or begin '${section}.URI' with redis://`,
    other: "check its certificate",
  };
  const text = reason.replace(/\.$/, "");
  return new RefusedError(
    `${capital(place(settings))} fails the checks of its TLS: ${text}; ${remedies[fault]}.`,
    { cause, code: "REDIS_TLS" },
  );
}

/** What an operator can do. */
interface Advice {
  readonly message: string;
  readonly code: string;
  readonly concerns?: RefusedError["concerns"];
}

function adviceFor(
  word: string,
  text: string,
  settings: RedisSettings,
  context: FaultContext,
): Advice | undefined {
  const where = place(settings);
  if (word === "WRONGTYPE") {
    return {
      ...{ code: "REDIS_WRONG_TYPE", concerns: "key" },
      message: `The key${
        of(context)
      } in ${where} holds something else than is needed here: remove or rename it.`,
    };
  }
  if (/exhausted the last possible ID|equal or smaller than the target stream top item/.test(text)) {
    return {
      ...{ code: "REDIS_STREAM_EXHAUSTED", concerns: "key" },
      message: `The stream${
        of(context)
      } in ${where} has used up its ids: rename or remove it, and a new one is made.`,
    };
  }
  const missing = /^ERR (?:unknown|unsupported) command\W+([\w|]{1,30})/i.exec(text)?.[1];
  if (missing !== undefined) {
    return {
      code: "REDIS_COMMAND_MISSING",
      message: `${
        capital(where)
      } does not offer ${missing.toUpperCase()}: allow the command, or name a server that has it.`,
    };
  }
  if (word === "WRONGPASS" || word === "NOAUTH" || /AUTH|invalid password/.test(text)) {
    return {
      code: "REDIS_WRONG_PASSWORD",
      message: `${capital(where)} refuses the user or password: ${
        settings.password === undefined
          ? `correct '${settings.section}.URI'`
          : `see that ${settings.password.setting} tells the one that is valid now`
      } (Redis says ${text.split(". ")[0]}).`,
    };
  }
  if (word === "DENIED") {
    return {
      code: "REDIS_NO_PERMISSION",
      message: `${
        capital(where)
      } is in protected mode and takes no strangers: set a password there, and name it in '${settings.section}.URI'.`,
    };
  }
  if (word === "NOPERM" || text.includes("user executing the script can't")) {
    return {
      code: "REDIS_NO_PERMISSION",
      ...(/ key/.test(text) && { concerns: "key" }),
      message: `The user of ${where} lacks a permission: extend its ACL (Redis says ${text}).`,
    };
  }
  if (/DB index/i.test(text)) {
    return {
      code: "REDIS_WRONG_DATABASE",
      message: `${capital(where)} has no database ${settings.address.db}: correct '${settings.section}.URI'.`,
    };
  }
  if (word === "MOVED" || word === "ASK" || word === "CROSSSLOT") {
    return {
      code: "REDIS_CLUSTER",
      message: `${capital(where)} is a Redis Cluster: begin '${settings.section}.URI' with redis+cluster://.`,
    };
  }
  return undefined;
}

function place(settings: RedisSettings): string {
  return `redis at ${settings.address.shown} (${settings.section})`;
}

function of(context: FaultContext): string {
  return context.key === undefined ? "" : ` '${context.key}'`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * The driver hangs the command on its errors, and the server repeats what it does not understand: payloads
 * and passwords that must not reach a log (SEC-4, CFG-4).
 */
function withoutSecrets(error: Error, settings: RedisSettings): Error {
  if ("command" in error) delete error.command;
  const { message, stack } = error;
  const clean = cleaned(message, settings);
  if (clean === message) return error;
  error.message = clean;
  if (stack !== undefined) error.stack = cleaned(stack.replace(message, () => clean), settings);
  return error;
}

const ECHO = /,? with args beginning with:.*/s;

function cleaned(text: string, { address: { password } }: RedisSettings): string {
  const cut = text.replace(ECHO, "");
  if (password === undefined) return cut;
  return [password, encodeURIComponent(password)].reduce(
    (left, secret) => left.replaceAll(secret, MASK),
    cut,
  );
}
