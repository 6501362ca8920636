/**
 * Where the observatory listens, and whom it answers (`[observatory]`, operations 10.5).
 *
 * @module
 */
import type { Config } from "../config/schema.ts";
import { ConfigurationError } from "../errors.ts";

export interface ObservatorySettings {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Everybody has to bring it, on loopback too; undefined: nobody has to bring one. */
  readonly token: string | undefined;
}

/** What the command line says in place of `[observatory]`. */
export type ObservatoryFlags = Partial<ObservatorySettings>;

/** What can stand behind `Authorization: Bearer` (RFC 6750, 2.1), a little wider. */
const TOKEN = /^[!-~]{1,4096}$/;
const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i;

/**
 * Throws `ConfigurationError` with the code `OBSERVATORY_BAD_HOST`, `OBSERVATORY_BAD_TOKEN`, or
 * `OBSERVATORY_TOKEN_MISSING` where it is to listen to other machines and nobody would have to bring a
 * token.
 */
export function observatorySettings(
  { observatory }: { readonly observatory: Pick<Config["observatory"], "host" | "port" | "token"> },
  flags: ObservatoryFlags = {},
): ObservatorySettings {
  const host = flags.host ?? observatory.host;
  const port = flags.port ?? observatory.port;
  const token = flags.token ?? observatory.token;
  // A port behind it, a scheme before it; an address of IPv6 has several colons.
  if (/[\s/?#@]/.test(host) || /^[^:]*:\d*$/.test(host) || /\]:/.test(host)) {
    throw new ConfigurationError(
      `The observatory cannot listen on '${host}', which is no host: name one without scheme and port in ` +
        "[observatory] host or --host.",
      { code: "OBSERVATORY_BAD_HOST" },
    );
  }
  if (token !== undefined && !TOKEN.test(token)) {
    throw new ConfigurationError(
      "The observatory's token cannot be sent in a header: use letters, digits and signs of ASCII without " +
        "blanks, at most 4,096, in [observatory] token or --token.",
      { code: "OBSERVATORY_BAD_TOKEN" },
    );
  }
  if (token === undefined && !isLoopbackHost(host)) {
    throw new ConfigurationError(
      `The observatory shows messages and does not listen on '${host}', where other machines reach it, without ` +
        "a token: set [observatory] token or --token, or listen on 127.0.0.1.",
      { code: "OBSERVATORY_TOKEN_MISSING" },
    );
  }
  return { host, port, token };
}

/** Whether a name or address, also in brackets, is this machine's alone. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host.replace(/^\[(.*)\]$/, "$1"));
}
