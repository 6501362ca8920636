/**
 * One adapter's side of a Redis Cluster (design 8): every command goes to the node that has its key, and
 * follows the key where it goes. Names become keys with a tag (`keys.ts`), so that what one script names is in
 * one slot.
 *
 * @module
 */
import { Command, Redis } from "ioredis";
import { abortable } from "../../async/abort.ts";
import { type Clock, sleep } from "../../async/clock.ts";
import { UnavailableError } from "../../errors.ts";
import { type Account, accountOf } from "./account.ts";
import { ClusterNodes } from "./cluster_nodes.ts";
import type { Connection } from "./connection.ts";
import {
  type CommandOptions,
  type Endpoint,
  type Reader,
  repeated,
  type Runner,
  ServerEndpoint,
  watchOver,
} from "./endpoint.ts";
import { explain, replyBehind } from "./faults.ts";
import type { StreamKey } from "./keys.ts";
import type { RedisServer } from "./outage.ts";
import { ReconnectingConnection } from "./reconnecting.ts";
import type { RedisSettings } from "./settings.ts";
import type { StreamWatch } from "./stream_watch.ts";
import { shownPlace } from "./uri_hosts.ts";

/** So often a command is sent on, or again while its slot moves, before it is an error. */
const ATTEMPTS = 16;
/** The longest pause before it is sent again to a slot that is on its way. */
const MOVING_MS = 100;
/** A reader waits so long for a node that is away, and then looks who has its slot by now. */
const PATIENCE_MS = 500;

/** The endpoint that the address asks for; `shared` as in `AdapterOptions`. */
export function openEndpoint(
  settings: RedisSettings,
  clock: Clock,
  shared: Map<string, unknown> | undefined,
): Endpoint {
  const account = accountOf(shared, settings.address);
  return settings.address.cluster
    ? new ClusterEndpoint(settings, clock, account)
    : new ServerEndpoint(settings, clock, account);
}

class ClusterEndpoint implements Endpoint {
  readonly server: RedisServer;
  readonly watch: StreamWatch;
  readonly #nodes: ClusterNodes;
  readonly #account: Account;
  readonly #router: Redis;
  readonly #readers = new Map<Reader, () => void>();

  constructor(settings: RedisSettings, clock: Clock, account: Account) {
    this.#account = account;
    this.#nodes = new ClusterNodes(settings, clock, account);
    this.server = this.#nodes.server;
    this.#router = new Router(this.#nodes);
    this.watch = watchOver(this, clock);
  }

  async run<T>(send: (client: Redis) => Promise<T>, options: CommandOptions = {}): Promise<T> {
    const once = async () => {
      try {
        return await send(this.#router);
      } catch (error) {
        throw explain(error, this.server.settings, { key: options.key });
      }
    };
    return await repeated(this.server, once, options);
  }

  /** Every node: one that is away takes the streams with it whose slots it has. */
  async ping(signal: AbortSignal): Promise<void> {
    const nodes = await abortable(this.#nodes.all(), signal);
    try {
      await Promise.all(nodes.map((node) => node.ping(signal)));
    } catch (error) {
      this.#nodes.doubt();
      throw error;
    }
  }

  reserve(key: StreamKey): Reader | undefined {
    if (this.#account.connections >= this.server.settings.maxConnections) return undefined;
    const reader = new ClusterReader(this.#nodes, slotOf(key));
    this.#readers.set(reader, this.#account.take());
    return reader;
  }

  async giveBack(reader: Reader): Promise<void> {
    await reader.close();
    this.#readers.get(reader)?.();
    this.#readers.delete(reader);
  }

  beside({ address }: Connection): Runner {
    return this.#nodes.at(shownPlace(address));
  }

  together(keys: readonly StreamKey[]): readonly (readonly number[])[] {
    const slots = new Map<number, number[]>();
    for (const [at, key] of keys.entries()) {
      const slot = slotOf(key);
      const places = slots.get(slot);
      if (places) places.push(at);
      else slots.set(slot, [at]);
    }
    return [...slots.values()];
  }

  get open(): number {
    return this.#nodes.count + this.#readers.size;
  }

  async parts(): Promise<readonly Runner[]> {
    return await this.#nodes.all();
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#nodes.close(),
      ...[...this.#readers.keys()].map((reader) => this.giveBack(reader)),
    ]);
  }
}

/** Blocks at the node that has the slot, wherever that is by now. */
class ClusterReader implements Reader {
  #at: { readonly node: ServerEndpoint; readonly connection: ReconnectingConnection } | undefined;

  constructor(private readonly nodes: ClusterNodes, private readonly slot: number) {}

  async connection(
    { patienceMs = 0, signal }: { readonly patienceMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Connection> {
    const patience = Math.min(patienceMs, PATIENCE_MS);
    try {
      const node = await abortable(this.nodes.of(this.slot), signal);
      if (this.#at?.node !== node) {
        await this.#at?.connection.close();
        this.#at = { node, connection: new ReconnectingConnection(node.server) };
      }
      return await this.#at.connection.connection({ patienceMs: patience, ...signal && { signal } });
    } catch (error) {
      this.nodes.doubt();
      // A loop around it is not to spin while there is nobody to ask.
      const { outage } = this.nodes.server;
      if (outage.error) await outage.wait(patience, signal);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#at?.connection.close();
  }
}

/** A client that has no connection: what it is asked goes to the node that has the key. */
class Router extends Redis {
  readonly #nodes: ClusterNodes;

  constructor(nodes: ClusterNodes) {
    super({ lazyConnect: true, enableReadyCheck: false, disableClientInfo: true });
    this.#nodes = nodes;
  }

  override sendCommand(command: Command): unknown {
    void this.#route(command);
    return command.promise;
  }

  /** Settles the command. */
  async #route(command: Command): Promise<void> {
    const { resolve, reject } = command;
    const key = keyOf(command);
    let asked: ServerEndpoint | undefined;
    for (let attempt = 1;; attempt++) {
      let from = asked;
      try {
        from ??= key === undefined ? (await this.#nodes.all())[0] : await this.#nodes.of(slotOf(key));
        if (!from) throw new UnavailableError("The Cluster has no node.");
        resolve.call(command, await sendTo(from, command, asked !== undefined));
        return;
      } catch (thrown) {
        const error = replyBehind(thrown);
        if (thrown instanceof UnavailableError && error === thrown) this.#nodes.doubt();
        const [word = ""] = error.message.split(" ", 1);
        const isMoving = error.name === "ReplyError" && /^(MOVED|ASK|TRYAGAIN)$/.test(word);
        if (!from || !isMoving || attempt >= ATTEMPTS) {
          reject.call(command, error);
          return;
        }
        // Who has the slot for good is noted where the answer came in; a part of one's own is asked once.
        const { address } = from.server.settings;
        asked = word === "ASK"
          ? this.#nodes.at(this.#nodes.target(error.message, shownPlace(address)))
          : undefined;
        if (word === "TRYAGAIN") {
          await sleep(this.#nodes.server.clock, Math.min(MOVING_MS, 10 * attempt));
        }
      }
    }
  }
}

/** What the node answers, as it came over the wire. */
function sendTo(node: ServerEndpoint, command: Command, asking: boolean): Promise<unknown> {
  return node.run((client) => {
    // It says to look at a slot that is still on its way; the answer is of no interest.
    if (asking) client.call("ASKING").catch(() => {});
    const answer = new Promise<unknown>((resolve, reject) => Object.assign(command, { resolve, reject }));
    client.sendCommand(command);
    return answer;
  });
}

/** Commands whose first argument is a word and whose second one is the key. */
const WITH_WORD = new Set(["xinfo", "xgroup"]);

function keyOf(command: Command): string | undefined {
  const key = WITH_WORD.has(command.name.toLowerCase()) ? command.args[1] : command.getKeys()[0];
  return key === undefined ? undefined : String(key);
}

function slotOf(key: string): number {
  return new Command("get", [key]).getSlot();
}
