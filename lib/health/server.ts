/**
 * The listener of the probes. A port that is taken is an error in the log and tried again every 5 s; nothing
 * that happens to the listener ends the process (S31). Not `Deno.serve`, which knows neither deadlines nor a
 * greatest number of connections, and gives its listener up when the process has no descriptor left (M6).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep, systemClock } from "../async/clock.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { BackgroundService } from "../async/service.ts";
import { ProbeConnections } from "./probe_connections.ts";
import { probeResponder, type Responder } from "./probe_http.ts";
import type { Page } from "./page.ts";
import type { Routes } from "./routes.ts";

const log = getLogger(["protean", "health"]);

const RETRY_MS = 5_000;
/**
 * After a loss, and after a connection that could not be taken: what was short may be there again at once.
 * Losses in a row wait twice as long each, up to `RETRY_MS`.
 */
const PAUSE_MS = 100;
/** After so many in a row the listener is taken for lost. */
const MAX_FAILURES = 50;
/** Why a connection could not be taken is said once in this time. */
const SAY_AGAIN_MS = 60_000;
/** The process, or the machine, has no descriptor left: the listener is sound, and would not come again. */
const NO_DESCRIPTOR: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE"]);
const PORTS_TO_TRY = 100;
/** How long `stop()` waits for a request that has begun: answers come from memory. */
const LAST_ANSWERS_MS = 200;

/** Options of `HealthServer`; `host` and `port` as resolved from `[server.health]`. */
export interface HealthServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Tries the 100 ports from `port` on. @default false */
  readonly portAutoIncrement?: boolean;
  /**
   * `start()` rejects with `ConfigurationError` when the port is taken (`--require-dependencies`). @default
   * false
   */
  readonly required?: boolean;
  /** @default none */
  readonly routes?: Routes;
  /** @default no further page */
  readonly page?: Page | undefined;
  /** Answers everything, in place of `routes` and `page`. */
  readonly respond?: Responder;
  /** What it is called in logs and errors. @default the health probes */
  readonly purpose?: Purpose;
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** @default Deno.listen */
  readonly listen?: (options: { readonly hostname: string; readonly port: number }) => ProbeListener;
}

/** What a listener is for. */
export interface Purpose {
  /** Name of the service, and what its events of the log begin with. */
  readonly name: string;
  /** As errors say it: `the health probes`. */
  readonly what: string;
  /** The settings of its place. */
  readonly setting: string;
  /** Code of the error about a port that is taken. */
  readonly taken: string;
}

const PROBES: Purpose = {
  name: "health",
  what: "the health probes",
  setting: "[server.health] host and port",
  taken: "HEALTH_PORT_TAKEN",
};

/** What is used of a listener. */
export type ProbeListener = Pick<Deno.TcpListener, "accept" | "close" | "addr">;

/** Serves the probes between `start()` and `stop()`. */
export class HealthServer extends BackgroundService {
  readonly name: string;
  readonly #options: HealthServerOptions;
  readonly #purpose: Purpose;
  readonly #clock: Clock;
  readonly #connections: ProbeConnections;
  #listener: ProbeListener | undefined;
  #quietUntil = -Infinity;
  readonly #bound = Promise.withResolvers<Deno.NetAddr>();

  constructor(options: HealthServerOptions) {
    super();
    this.#options = options;
    this.#purpose = options.purpose ?? PROBES;
    this.name = `${this.#purpose.name}_server`;
    this.#clock = options.clock ?? systemClock;
    const respond = options.respond ?? probeResponder(options.routes ?? new Map(), options.page);
    this.#connections = new ProbeConnections(respond, this.#clock);
  }

  /** Where it listens; undefined while it does not. */
  get address(): Deno.NetAddr | undefined {
    return this.#listener?.addr;
  }

  /** Resolves once it listens for the first time. */
  get bound(): Promise<Deno.NetAddr> {
    return this.#bound.promise;
  }

  /** Resolves whether the port was free or not: the server runs on without its probes. */
  protected override begin(): void {
    try {
      this.#listen();
    } catch (cause) {
      const { host, port, required } = this.#options;
      const { what, setting, taken } = this.#purpose;
      const message = `Cannot listen on ${host}:${port} for ${what} (${asError(cause).message}): ${
        cause instanceof Deno.errors.AddrInUse ? "free the port or " : ""
      }set ${setting}.`;
      if (required) throw new ConfigurationError(message, { code: taken, cause });
      log.error(`${this.#purpose.name}.port_unavailable`, {
        host,
        port,
        error: message,
        retry_seconds: RETRY_MS / 1000,
      });
    }
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const close = () => closed(this.#listener);
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) close();
    let wait = this.#listener ? PAUSE_MS : RETRY_MS;
    while (!signal.aborted) {
      if (this.#listener) {
        if (await this.#accept(this.#listener, signal)) wait = PAUSE_MS;
        if (signal.aborted) break;
        closed(this.#listener);
        this.#listener = undefined;
        log.error(`${this.#purpose.name}.listener_lost`, { retry_ms: wait });
      }
      await sleep(this.#clock, wait, signal);
      if (signal.aborted) break;
      wait = Math.min(2 * wait, RETRY_MS);
      try {
        this.#listen();
      } catch (cause) {
        log.debug(`${this.#purpose.name}.port_unavailable`, { error: asError(cause).message });
      }
    }
  }

  /**
   * Takes connections until the listener is lost or `signal` aborts. Returns whether it took any.
   */
  async #accept(listener: ProbeListener, signal: AbortSignal): Promise<boolean> {
    let taken = false;
    for (let failures = 0; failures < MAX_FAILURES && !signal.aborted;) {
      try {
        await this.#connections.room(signal);
        this.#connections.take(await listener.accept());
        taken = true;
        failures = 0;
      } catch (cause) {
        if (signal.aborted || cause instanceof Deno.errors.BadResource) break;
        this.#refused(cause);
        const isShort = NO_DESCRIPTOR.has((cause as { code?: unknown }).code);
        if (!isShort) failures++;
        // The oldest of ours makes room at once, for a flood may wait to be taken.
        if (!isShort || !await this.#connections.dropOldest()) await sleep(this.#clock, PAUSE_MS, signal);
      }
    }
    return taken;
  }

  #refused(cause: unknown): void {
    const now = this.#clock.monotonic();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + SAY_AGAIN_MS;
    log.warn(`${this.#purpose.name}.connection_refused`, { error: asError(cause).message });
  }

  protected override async end(): Promise<void> {
    const wasListening = this.#listener !== undefined;
    closed(this.#listener);
    this.#listener = undefined;
    const answered = new AbortController();
    const last = this.#connections.finish().then(() => answered.abort());
    await sleep(this.#clock, LAST_ANSWERS_MS, answered.signal);
    // A client that stalled in the middle of its answer is not waited for.
    this.#connections.closeAll();
    await last;
    if (wasListening) log.info(`${this.#purpose.name}.stopped`);
  }

  #listen(): void {
    const { host, port, portAutoIncrement } = this.#options;
    const last = portAutoIncrement && port !== 0 ? Math.min(port + PORTS_TO_TRY - 1, 65_535) : port;
    for (let candidate = port;; candidate++) {
      try {
        this.#serve(host, candidate);
        return;
      } catch (error) {
        if (candidate >= last || !(error instanceof Deno.errors.AddrInUse)) throw error;
      }
    }
  }

  #serve(hostname: string, port: number): void {
    const listen = this.#options.listen ?? Deno.listen;
    // An address of IPv6 may stand in brackets, as in a URL.
    this.#listener = listen({ hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port });
    const { addr } = this.#listener;
    log.info(`${this.#purpose.name}.listening`, { host: addr.hostname, port: addr.port });
    this.#bound.resolve(addr);
  }
}

/** Once is enough. */
function closed(listener: ProbeListener | undefined): void {
  try {
    listener?.close();
  } catch {
    // It was closed before.
  }
}
