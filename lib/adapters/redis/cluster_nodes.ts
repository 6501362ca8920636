/**
 * The nodes of a Redis Cluster, and which of them has which slot (design 8).
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { asError, ConfigurationError, RefusedError } from "../../errors.ts";
import type { Account } from "./account.ts";
import { Connection } from "./connection.ts";
import { ServerEndpoint } from "./endpoint.ts";
import { unavailable } from "./faults.ts";
import { Outage, type RedisServer } from "./outage.ts";
import type { RedisSettings } from "./settings.ts";
import { type Place, shownPlace } from "./uri_hosts.ts";

/** So often the slots are looked up again at the most. */
const LOOK_MS = 250;
/** So many nodes are asked at once. */
const ASKED = 3;

/** How CLUSTER SLOTS names a node: `["10.0.0.1", 6379, id]`. */
type SlotRange = readonly [first: number, last: number, master: readonly [host: string | null, port: number]];

export class ClusterNodes {
  readonly server: RedisServer;
  readonly #account: Account;
  readonly #endpoints = new Map<string, ServerEndpoint>();
  /** Names of nodes, by slot. */
  #slots: (string | undefined)[] = [];
  /** Nodes that the last look did not find to be masters. */
  #absent = new Set<string>();
  readonly #closing = new AbortController();
  #looking: Promise<void> | undefined;
  #lookedAt = -Infinity;

  constructor(settings: RedisSettings, clock: Clock, account: Account) {
    this.server = { settings, clock, outage: new Outage(settings.section, clock) };
    this.#account = account;
  }

  /** Who has the slot. Rejects with the adapter's unavailable error while nobody has. */
  async of(slot: number): Promise<ServerEndpoint> {
    if (this.#slots[slot] === undefined && (this.#slots.length === 0 || this.#mayLook)) await this.look();
    const name = this.#slots[slot];
    if (name === undefined) throw unavailable(this.server.settings, `no node has slot ${slot}`);
    return this.at(name);
  }

  /** Nodes that there are connections to, or may be at any time. */
  get count(): number {
    return this.#endpoints.size;
  }

  /** Every master. */
  async all(): Promise<readonly ServerEndpoint[]> {
    if (this.#slots.length === 0) await this.look();
    return [...new Set(this.#slots)].flatMap((name) => name === undefined ? [] : [this.at(name)]);
  }

  /** The node of that name, `host:port`. */
  at(name: string): ServerEndpoint {
    const { settings, clock } = this.server;
    let endpoint = this.#endpoints.get(name);
    if (!endpoint) {
      endpoint = new ServerEndpoint(this.#settingsOf(name), clock, this.#account, {
        outage: new Outage(`${settings.section} (${name})`, clock),
        moved: (words) => this.#moved(words, name),
      });
      this.#endpoints.set(name, endpoint);
    }
    return endpoint;
  }

  /** Where a redirection leads to; `from` said so. */
  target(words: string, from: string): string {
    const address = words.split(" ")[2] ?? "";
    // A node that does not know its own name tells the port alone.
    return address.startsWith(":") ? `${hostOf(from)}${address}` : address;
  }

  /** A node has failed: another one may have its slots by now. */
  doubt(): void {
    if (this.#closing.signal.aborted) return;
    if (this.#mayLook) this.look().catch(() => {});
  }

  get #mayLook(): boolean {
    return this.server.clock.monotonic() - this.#lookedAt >= LOOK_MS;
  }

  /** Looks up who has which slot. Rejects when no node answers. */
  look(): Promise<void> {
    return this.#looking ??= this.#look().finally(() => {
      this.#lookedAt = this.server.clock.monotonic();
      this.#looking = undefined;
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("closed by us"));
    await this.#looking?.catch(() => {});
    await Promise.all([...this.#endpoints.values()].map((endpoint) => endpoint.close()));
  }

  #moved(words: string, from: string): void {
    const slot = /^MOVED (\d+) /.exec(words)?.[1];
    if (slot === undefined) return;
    this.#slots[Number(slot)] = this.target(words, from);
    this.doubt();
  }

  async #look(): Promise<void> {
    const { settings, clock, outage } = this.server;
    if (outage.error) throw outage.error;
    const startedAt = clock.monotonic();
    const seeds = (settings.address.cluster ?? []).map(shownPlace);
    const names = [...new Set([...this.#endpoints.keys(), ...seeds])];
    let failure: Error | undefined;
    for (let at = 0; at < names.length; at += ASKED) {
      try {
        this.#take(await this.#ask(names.slice(at, at + ASKED)));
        outage.ended();
        return;
      } catch (error) {
        failure = asError(error);
        if (this.#closing.signal.aborted || failure instanceof ConfigurationError) break;
      }
    }
    failure ??= unavailable(settings, "it has no node");
    if (!this.#closing.signal.aborted) outage.failed(failure, startedAt);
    throw failure;
  }

  /** What the first of them tells that answers. */
  async #ask(names: readonly string[]): Promise<readonly (readonly [SlotRange, string])[]> {
    const asked = names.map(async (name) => {
      const { clock, outage } = this.server;
      const settings = { ...this.#settingsOf(name), anyRole: true };
      const { signal } = this.#closing;
      const connection = await Connection.open({ settings, clock, outage }, { signal });
      try {
        const reply = await connection.call((client) => client.call("CLUSTER", "SLOTS"));
        return (reply as readonly SlotRange[]).map((range) => [range, name] as const);
      } catch (error) {
        if (!/cluster support disabled/.test(asError(error).message)) throw error;
        throw new RefusedError(
          `Redis at ${name} (${settings.section}) is no Cluster: begin '${settings.section}.URI' with redis://.`,
          { code: "REDIS_CLUSTER", cause: error },
        );
      } finally {
        connection.destroy("asked");
        await connection.closed;
      }
    });
    try {
      return await Promise.any(asked);
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    }
  }

  #take(ranges: readonly (readonly [SlotRange, string])[]): void {
    const slots: (string | undefined)[] = [];
    for (const [[first, last, [host, port]], from] of ranges) {
      const name = `${host ? host.includes(":") ? `[${host}]` : host : hostOf(from)}:${port}`;
      for (let slot = first; slot <= last; slot++) slots[slot] = name;
    }
    this.#slots = slots;
    const masters = new Set(slots);
    const absent = [...this.#endpoints.keys()].filter((name) => !masters.has(name));
    // One look may come from a node that has not heard everything yet.
    for (const name of absent.filter((name) => this.#absent.has(name))) {
      void this.#endpoints.get(name)?.close();
      this.#endpoints.delete(name);
    }
    this.#absent = new Set(absent);
  }

  #settingsOf(name: string): RedisSettings {
    const { settings } = this.server;
    const place = placeOf(name);
    const { address } = settings;
    return { ...settings, address: { ...address, ...place, shown: `redis://${name} of ${address.shown}` } };
  }
}

function placeOf(name: string): Place {
  return {
    host: hostOf(name).replace(/^\[(.*)\]$/, "$1"),
    port: Number(name.slice(name.lastIndexOf(":") + 1)),
  };
}

function hostOf(name: string): string {
  return name.slice(0, name.lastIndexOf(":"));
}
