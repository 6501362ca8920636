/**
 * Who else is there: what each worker tells the others of itself, as long as it tells it.
 *
 * @module
 */

export interface Announcement {
  /** Any text that is not empty; nobody else's. */
  readonly id: string;
  /** Any texts. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Somebody who has announced themselves. */
export interface Peer extends Announcement {
  /** Since then. */
  readonly ageMs: number;
}

/** Shared by all processes on one broker. Methods reject with `BrokerUnavailableError`. */
export interface Peers {
  /** In place of what this one has told before; forgotten after `ttlMs` without another. */
  announce(announcement: Announcement, ttlMs: number): Promise<void>;
  /** This one is gone. */
  withdraw(id: string): Promise<void>;
  /** Everybody who is there, a thousand at most, in the order of their ids. */
  list(): Promise<readonly Peer[]>;
}

/** So many are listed. */
export const MOST_PEERS = 1_000;

/** Their order. */
export function byId(one: Peer, other: Peer): number {
  return one.id < other.id ? -1 : 1;
}
