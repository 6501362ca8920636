/**
 * How many connections the adapters of one domain have to one server: `max_connections` is about a server, not
 * about whose table it stands in (design 8).
 *
 * @module
 */
import type { RedisAddress } from "./uri.ts";

/** Connections that are open, or may be opened at any time. */
export class Account {
  #connections = 0;

  get connections(): number {
    return this.#connections;
  }

  /** Another one; returns what gives its place back, once. */
  take(): () => void {
    this.#connections++;
    let held = true;
    return () => {
      if (held) this.#connections--;
      held = false;
    };
  }
}

/** The account of all who share `shared`, with the server at `address`; one of its own without that. */
export function accountOf(shared: Map<string, unknown> | undefined, address: RedisAddress): Account {
  const { host, port, path } = address;
  const key = `redis ${path ?? `${host}:${port}`}`;
  const found = shared?.get(key);
  if (found instanceof Account) return found;
  const account = new Account();
  shared?.set(key, account);
  return account;
}
