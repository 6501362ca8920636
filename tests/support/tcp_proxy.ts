/**
 * A TCP proxy that misbehaves on request: the network faults of `spec/faults.md`, between a client of ours
 * and a real server.
 *
 * @module
 */

/** One client connection and its counterpart at the server. */
interface Pair {
  readonly client: Deno.Conn;
  readonly server: Deno.Conn;
}

export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  #target: number;
  readonly #listener: Deno.Listener;
  readonly #pairs = new Set<Pair>();
  readonly #running = new Set<Promise<void>>();
  readonly #timers = new Map<ReturnType<typeof setTimeout>, () => void>();
  #delay: () => number = () => 0;
  readonly #swallowed = new WeakSet<Pair>();
  readonly #held = new WeakMap<Pair, PromiseWithResolvers<void>>();
  #release = Promise.withResolvers<void>();
  #swallowing = false;
  readonly #muted = new WeakSet<Pair>();
  #muting = false;
  #refusing = false;
  #accepted = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#track(this.#accept());
  }

  /** Listens on a free port and forwards to `target`, faithfully until told otherwise. */
  static start(target: number): TcpProxy {
    return new TcpProxy(target);
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Connections accepted since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Every piece of data waits this many milliseconds, asked anew for each; order is kept. */
  delay(ms: number | (() => number)): void {
    this.#delay = typeof ms === "number" ? () => ms : ms;
  }

  /**
   * The address moves: new connections lead to another port of this machine, those that are open stay where
   * they are.
   */
  move(target: number): void {
    this.#target = target;
  }

  /** Closes every open connection on both sides; new ones work. */
  cut(): void {
    for (const pair of this.#pairs) close(pair);
  }

  /**
   * Nothing passes any more in either direction, nothing is closed: as when a firewall forgets the
   * connections that are open now.
   */
  swallow(): void {
    for (const pair of this.#pairs) this.#swallowed.add(pair);
  }

  /** As `swallow()`, also for every connection to come, until `heal()`. */
  blackhole(): void {
    this.#swallowing = true;
    this.swallow();
  }

  /**
   * Requests pass and their answers are lost, on every connection that is open or comes before `heal()`: the
   * server has done what the client never learns.
   */
  mute(): void {
    this.#muting = true;
    for (const pair of this.#pairs) this.#muted.add(pair);
  }

  /** What the connections that are open now send stays under way, also after they closed, until `letGo()`. */
  hold(): void {
    for (const pair of this.#pairs) this.#held.set(pair, this.#release);
  }

  /** Delivers what is held. */
  letGo(): void {
    this.#release.resolve();
    this.#release = Promise.withResolvers();
  }

  /** New connections are closed at once, until `heal()`. */
  refuse(): void {
    this.#refusing = true;
  }

  /** Faithful again for new connections; swallowed and muted ones stay silent. */
  heal(): void {
    this.#refusing = false;
    this.#swallowing = false;
    this.#muting = false;
    this.#delay = () => 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.letGo();
    this.cut();
    for (const [timer, resolve] of this.#timers) {
      clearTimeout(timer);
      resolve();
    }
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#accepted++;
      if (this.#refusing) client.close();
      else this.#track(this.#serve(client));
    }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    let server: Deno.Conn;
    try {
      server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    } catch {
      client.close();
      return;
    }
    const pair = { client, server };
    this.#pairs.add(pair);
    if (this.#swallowing) this.#swallowed.add(pair);
    if (this.#muting) this.#muted.add(pair);
    const swallowed = () => this.#swallowed.has(pair);
    await Promise.all([
      this.#pump(pair, client, server, swallowed),
      this.#pump(pair, server, client, () => swallowed() || this.#muted.has(pair)),
    ]);
    this.#pairs.delete(pair);
  }

  /** Copies one direction until either end closes; then both are closed. */
  async #pump(pair: Pair, from: Deno.Conn, to: Deno.Conn, lost: () => boolean): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let length; (length = await from.read(buffer)) !== null;) {
        const ms = this.#delay();
        if (ms > 0) await this.#sleep(ms);
        await this.#held.get(pair)?.promise;
        for (let sent = 0; sent < length && !lost();) {
          sent += await to.write(buffer.subarray(sent, length));
        }
      }
    } catch {
      // Closed under our hands; that is what this class is for.
    }
    close(pair);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.set(timer, resolve);
    });
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}

function close(pair: Pair): void {
  for (const connection of [pair.client, pair.server]) {
    try {
      connection.close();
    } catch {
      // Closed already.
    }
  }
}
