/**
 * The listener of the probes. A port that is taken is an error in the log and tried again every 5 s; nothing
 * that happens to the listener ends the process (S31).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep, systemClock } from "../async/clock.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { BackgroundService } from "../async/service.ts";
import { brokenResponse, respond, type Routes } from "./routes.ts";

const log = getLogger(["protean", "health"]);

const RETRY_MS = 5_000;
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
  readonly routes: Routes;
  /** @default the machine's clock */
  readonly clock?: Clock;
}

/** Serves the probes between `start()` and `stop()`. */
export class HealthServer extends BackgroundService {
  readonly name = "health_server";
  readonly #options: HealthServerOptions;
  readonly #clock: Clock;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #abort: AbortController | undefined;
  readonly #bound = Promise.withResolvers<Deno.NetAddr>();

  constructor(options: HealthServerOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Where it listens; undefined while it does not. */
  get address(): Deno.NetAddr | undefined {
    return this.#server?.addr;
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
      const message = `Cannot listen on ${host}:${port} for the health probes (${
        asError(cause).message
      }): free the port or set [server.health] port.`;
      if (required) throw new ConfigurationError(message, { code: "HEALTH_PORT_TAKEN", cause });
      log.error("health.port_unavailable", { host, port, error: message, retry_seconds: RETRY_MS / 1000 });
    }
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      if (this.#server) {
        await Promise.race([this.#server.finished.catch(() => {}), stopped]);
        if (signal.aborted) break;
        this.#server = undefined;
        log.error("health.listener_lost", { retry_seconds: RETRY_MS / 1000 });
      }
      await sleep(this.#clock, RETRY_MS, signal);
      if (signal.aborted) break;
      try {
        this.#listen();
      } catch (cause) {
        log.debug("health.port_unavailable", { error: asError(cause).message });
      }
    }
  }

  protected override async end(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const answered = new AbortController();
    const last = server.shutdown().then(() => answered.abort());
    await sleep(this.#clock, LAST_ANSWERS_MS, answered.signal);
    // A client that stalled in the middle of its request is not waited for.
    if (!answered.signal.aborted) this.#abort?.abort();
    await last;
    log.info("health.stopped");
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
    const abort = new AbortController();
    this.#server = Deno.serve({
      // An address of IPv6 may stand in brackets, as in a URL.
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
      port,
      signal: abort.signal,
      onListen: () => {},
      onError: brokenResponse,
    }, (request) => respond(request, this.#options.routes));
    this.#abort = abort;
    const { addr } = this.#server;
    log.info("health.listening", { host: addr.hostname, port: addr.port });
    this.#bound.resolve(addr);
  }
}
