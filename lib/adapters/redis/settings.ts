/**
 * The connection settings of one Redis adapter, from its table in `domain.toml` (wire 2.16, design 8).
 *
 * @module
 */
import { readCertificates } from "../../config/pem_file.ts";
import { ConfigurationError, type ProteanErrorOptions, type UnavailableError } from "../../errors.ts";
import { processName } from "../client_name.ts";
import { type PasswordSource, passwordSource } from "../password.ts";
import type { AdapterOptions } from "../ports.ts";
import { parseRedisUri, type RedisAddress } from "./uri.ts";

export interface RedisSettings {
  /** The table's name: `brokers.default`. */
  readonly section: string;
  readonly address: RedisAddress;
  /** Where the password comes from that the URI does not have. */
  readonly password: PasswordSource | undefined;
  /** `tls_ca_file`, absolute: the authorities that are trusted instead of the runtime's own. */
  readonly tlsCaFile: string | undefined;
  /** Shown in `CLIENT LIST`: domain, adapter and process. */
  readonly clientName: string;
  /** Command and blocking connections together. @default 50 */
  readonly maxConnections: number;
  /**
   * `socket_timeout` in milliseconds: a connection that is silent for so long while it owes an answer is
   * replaced. @default 5000
   */
  readonly answerMs: number;
  /** `socket_connect_timeout` in milliseconds, the greeting included. @default 5000 */
  readonly connectMs: number;
  /** Sends a command that can be repeated without harm once more when its connection broke. @default false */
  readonly retryOnTimeout: boolean;
  /** A replica will do: for questions about a Cluster. @default false */
  readonly anyRole?: boolean;
  /** The error that says "may answer later" for this kind of adapter. */
  readonly Unavailable: new (message: string, options: ProteanErrorOptions) => UnavailableError;
}

/** Throws `ConfigurationError` for an address that cannot be right, or a setting of the wrong kind. */
export function readSettings(
  options: AdapterOptions,
  table: "brokers" | "caches",
  Unavailable: RedisSettings["Unavailable"],
): RedisSettings {
  const section = `${table}.${options.name}`;
  const { URI, retry_on_timeout } = options.settings;
  const seconds = (key: string) => positive(options, section, key, 5) * 1000;
  const address = parseRedisUri(typeof URI === "string" ? URI : undefined, `${section}.URI`);
  return {
    section,
    address,
    password: passwordSource(section, options.settings, {
      clock: options.clock,
      inUri: address.password !== undefined,
    }),
    tlsCaFile: authorityFile(options, section, address),
    clientName: `protean:${options.domain}:${options.name}:${processName()}`.replace(/[^!-~]/g, "_"),
    maxConnections: Math.max(1, Math.floor(positive(options, section, "max_connections", 50))),
    answerMs: seconds("socket_timeout"),
    connectMs: seconds("socket_connect_timeout"),
    retryOnTimeout: retry_on_timeout === true || retry_on_timeout === "true",
    Unavailable,
  };
}

/**
 * The authorities that the server's certificate is checked against; undefined: those of the runtime. Throws
 * `RefusedError` for a file that cannot be used.
 */
export async function readAuthorities({ section, tlsCaFile }: RedisSettings): Promise<string | undefined> {
  return tlsCaFile === undefined ? undefined : await readCertificates(tlsCaFile, `'${section}.tls_ca_file'`);
}

/** Throws `RefusedError` for a file of certificates or of a password that cannot be used. */
export async function checkFiles(settings: RedisSettings): Promise<void> {
  await readAuthorities(settings);
  await settings.password?.check();
}

/** Throws `ConfigurationError` where it would have no effect. */
function authorityFile(options: AdapterOptions, section: string, address: RedisAddress): string | undefined {
  const file = options.settings["tls_ca_file"];
  if (typeof file !== "string" || file === "") return undefined;
  if (address.tls) return file;
  const key = `${section}.tls_ca_file`;
  const message = `'${key}' has no effect without TLS: begin '${section}.URI' with rediss://, or remove it.`;
  throw new ConfigurationError(message, { problems: [{ code: "CONFIG_INVALID_VALUE", message, key }] });
}

/** A number above 0; numbers that came as text out of `${VAR}` count (design 6). */
function positive(options: AdapterOptions, section: string, key: string, fallback: number): number {
  const given = options.settings[key];
  if (given === undefined || given === null || given === "") return fallback;
  const value = typeof given === "number" ? given : Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  const message = `'${section}.${key}' must be a number above 0: current value is ${JSON.stringify(given)}.`;
  throw new ConfigurationError(message, {
    problems: [{ code: "CONFIG_INVALID_VALUE", message, key: `${section}.${key}` }],
  });
}
