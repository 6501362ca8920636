/**
 * Addresses of several servers: `redis+sentinel://user:password@h1:26379,h2:26379/service/0` and
 * `redis+cluster://user:password@h1:6379,h2:6379` (design 8).
 *
 * @module
 */

/** Where a server listens. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** A set of sentinels, and the name under which they watch a master. */
export interface SentinelSet {
  /** At least one. */
  readonly places: readonly Place[];
  readonly service: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** What is wrong with such an address: the rest of a sentence that begins with its key. */
export class HostsTrouble extends Error {}

/** The parts of `scheme://hosts/path?query`, whose user has been cut out. Throws `HostsTrouble`. */
export function splitHosts(
  uri: string,
  defaultPort: number,
): { readonly places: readonly Place[]; readonly path: readonly string[]; readonly query: URLSearchParams } {
  const [, hosts = "", path = "", query = ""] = /^[^:/?#]*:\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?$/.exec(uri) ??
    [];
  if (uri.includes("#")) throw new HostsTrouble("has a # in it: write it as %23.");
  if (hosts === "") {
    throw new HostsTrouble("names no host: write host:port, several with commas between them.");
  }
  return {
    places: hosts.split(",").map((text) => placeOf(text, defaultPort)),
    path: path.split("/").slice(1).filter((part, at) => part !== "" || at > 0).map(decoded),
    query: new URLSearchParams(query),
  };
}

/** `host:port`, `[::1]:port`, or a host alone. */
function placeOf(text: string, defaultPort: number): Place {
  const [, bracketed, plain, port] = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) {
    // It may be a part of a password.
    throw new HostsTrouble("has an address that is not host:port, with a port from 1 to 65535: correct it.");
  }
  return { host: decoded(host), port: number };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HostsTrouble("is not percent-encoded: write % as %25.");
  }
}

export function shownPlace({ host, port }: Place): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
