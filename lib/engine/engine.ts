/**
 * Runs every subscription, outbox processor and maintenance task of a domain in one process.
 *
 * It does not restart what fails for good: a defect in a background service drains the process with exit 1, and whoever started it
 * starts it again.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { firstOf } from "../async/abort.ts";
import type { BaseProvider } from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { Domain } from "../domain/domain.ts";
import { type DomainRuntime, isRunning, runtimeOf } from "../domain/runtime.ts";
import { IncorrectUsageError } from "../errors.ts";
import { HealthMonitor } from "../health/monitor.ts";
import { engineRoutes } from "../health/routes.ts";
import { HealthServer } from "../health/server.ts";
import { componentsOf } from "../health/components.ts";
import { assemble, type Assembly, managedProviders } from "./assembly.ts";
import { describeProblem } from "../config/problems.ts";
import { drain } from "./drain.ts";
import { Failure } from "./failure.ts";
import { untilQuiet } from "./until_quiet.ts";
import { preflight } from "./preflight.ts";
import { eventName, startDiagnostics } from "./start_diagnostics.ts";
import { subscriptionSource } from "./subscription_rows.ts";

const log = getLogger(["protean", "engine"]);

export interface EngineOptions {
  /** Work off everything available, then end. @default false */
  readonly once?: boolean;
  /** End with an error instead of waiting when a dependency or the health port is not there at start (HLT-3). @default false */
  readonly requireDependencies?: boolean;
  /** @default Math.random */
  readonly random?: Random;
}

export interface EngineRunOptions {
  /** Starts the drain. */
  readonly signal?: AbortSignal;
  /** Cuts the drain short: the second signal. */
  readonly cut?: AbortSignal;
}

/** Exit codes of design 9. */
const FINE = 0;
const FAILED = 1;
const CUT = 4;

export class Engine {
  readonly #domain: Domain;
  readonly #options: EngineOptions;
  readonly #listening = Promise.withResolvers<Deno.NetAddr>();
  #active = false;
  #assembly: Assembly | undefined;
  #running: { readonly providers: readonly BaseProvider[]; readonly clock: Clock } | undefined;

  /** The domain is initialised by `run` if nobody has done it before. */
  constructor(domain: Domain, options: EngineOptions = {}) {
    this.#domain = domain;
    this.#options = options;
  }

  /** The address of the health listener, once it listens for the first time. */
  get listening(): Promise<Deno.NetAddr> {
    return this.#listening.promise;
  }

  /** What the subscriptions have done so far, by handler and category; empty before the start. */
  get subscriptions(): Assembly["subscriptions"] {
    return this.#assembly?.subscriptions ?? [];
  }

  /**
   * Runs until `signal` aborts (or everything is worked off, with `once`), drains, closes the domain and answers the exit code: 0,
   * 1 after a failure, 4 when work was cut and will be redelivered. Rejects, with the domain closed, when it cannot start
   * (`ConfigurationError`, or `UnavailableError` with `requireDependencies`); it may be run again after either end.
   */
  async run(options: EngineRunOptions = {}): Promise<number> {
    if (this.#active) {
      throw new IncorrectUsageError("The engine is running already: await its end before another run().");
    }
    this.#active = true;
    const failure = new Failure();
    const stop = new AbortController();
    const abort = () => stop.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", abort, { once: true });
    if (options.signal?.aborted) abort();
    const forget = failure.catchStrayErrors();
    try {
      if (!isRunning(this.#domain)) await this.#domain.init({ signal: stop.signal });
      return await this.#live(
        runtimeOf(this.#domain),
        stop.signal,
        options.cut ?? new AbortController().signal,
        failure,
      );
    } catch (error) {
      await this.#domain.close();
      // Told to stop before it had begun: there is nothing to drain and nothing wrong.
      if (stop.signal.aborted && error === stop.signal.reason) return FINE;
      throw error;
    } finally {
      forget();
      options.signal?.removeEventListener("abort", abort);
      this.#active = false;
    }
  }

  /**
   * Resolves when everything available is worked off, as `once` means it, or when `signal` aborts. `look` is called at every look, some
   * fifty times a second.
   */
  async untilQuiet(
    look: () => void = () => {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const { providers, clock } = this.#need();
    await untilQuiet(this.subscriptions, providers, { clock, signal, look });
  }

  async #live(
    runtime: DomainRuntime,
    stop: AbortSignal,
    cut: AbortSignal,
    failure: Failure,
  ): Promise<number> {
    const { clock, config: { config } } = runtime;
    const assembly = assemble(runtime, {
      onFailure: (error) => failure.report(error),
      ...(this.#options.random ? { random: this.#options.random } : {}),
    });
    for (const diagnostic of startDiagnostics(runtime)) {
      const { key, level } = diagnostic;
      log[level === "info" ? "info" : "warn"](eventName(diagnostic), {
        key,
        message: describeProblem(diagnostic),
      });
    }
    this.#assembly = assembly;
    this.#running = { providers: managedProviders(runtime), clock };
    const monitor = this.#monitor(runtime, assembly);
    const listener = this.#listener(runtime, monitor);
    const services = [...assembly.processors, ...assembly.subscriptions, ...assembly.cleaners];
    try {
      await listener?.start();
      await preflight({
        check: () => monitor.check(stop),
        providers: this.#running.providers,
        tables: runtime.tables,
        broker: assembly.broker,
        categories: assembly.subscriptions.map(({ category }) => category),
        required: this.#options.requireDependencies ?? false,
        clock,
      });
      await monitor.start();
      await Promise.all(services.map((service) => service.start()));
    } catch (error) {
      await Promise.all([...services, monitor].map((service) => service.stop()));
      await listener?.stop();
      throw error;
    }
    log.info("engine.started", {
      domain: runtime.name,
      subscription_count: assembly.subscriptions.length,
      outbox_processors: assembly.processors.length,
    });
    await this.#untilStop(firstOf(stop, failure.signal));
    log.info("engine.shutting_down", { signal: typeof stop.reason === "string" ? stop.reason : undefined });
    const cutHandlers = await drain({
      subscriptions: assembly.subscriptions,
      processors: assembly.processors,
      maintenance: assembly.cleaners,
      monitor,
      listener,
      close: () => this.#domain.close(),
      onCut: () => failure.handlersCut(),
      clock,
      drainTimeoutSeconds: config.server.drain_timeout_seconds,
    }, cut);
    const code = failure.signal.aborted ? FAILED : cutHandlers > 0 ? CUT : FINE;
    log.info("engine.stopped", { exit_code: code });
    return code;
  }

  #need(): { providers: readonly BaseProvider[]; clock: Clock } {
    if (!this.#running) throw new IncorrectUsageError("The engine is not running: call run() first.");
    return this.#running;
  }

  #monitor(runtime: DomainRuntime, assembly: Assembly): HealthMonitor {
    return new HealthMonitor({
      components: componentsOf(runtime),
      clock: runtime.clock,
      subscriptions: subscriptionSource(assembly, assembly.broker, managedProviders(runtime)),
    });
  }

  #listener(runtime: DomainRuntime, monitor: HealthMonitor): HealthServer | undefined {
    const { health } = runtime.config.config.server;
    if (!health.enabled) return undefined;
    const server = new HealthServer({
      host: health.host,
      port: health.port,
      portAutoIncrement: health.port_auto_increment,
      required: this.#options.requireDependencies ?? false,
      clock: runtime.clock,
      routes: engineRoutes(
        () => !this.subscriptions.some((subscription) => subscription.stuck),
        () => monitor.snapshot(),
      ),
    });
    void server.bound.then((address) => this.#listening.resolve(address));
    return server;
  }

  async #untilStop(over: AbortSignal): Promise<void> {
    if (this.#options.once) return await this.untilQuiet(undefined, over);
    if (over.aborted) return;
    await new Promise<void>((resolve) => over.addEventListener("abort", () => resolve(), { once: true }));
  }
}
