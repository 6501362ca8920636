/**
 * Runs every subscription, outbox processor and maintenance task of a domain in one process.
 *
 * It does not restart what fails for good: a defect in a background service drains the process with exit 1,
 * and whoever started it starts it again. It does not listen to the program's own stray errors either: a
 * command line does, and tells it by `fail`.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { firstOf, joined } from "../async/abort.ts";
import type { Random } from "../async/backoff.ts";
import type { EngineService, Service } from "../async/service.ts";
import type { Domain } from "../domain/domain.ts";
import { managedProviders } from "../domain/places.ts";
import { type DomainRuntime, isRunning, runtimeOf } from "../domain/runtime.ts";
import { IncorrectUsageError, ProteanError } from "../errors.ts";
import { CheckRunner } from "../health/check_runner.ts";
import { componentsOf } from "../health/components.ts";
import { describeProblem } from "../config/problems.ts";
import { type HealthListener, type HealthListenerFactory, ownListener } from "../health/listener.ts";
import { metricsPlace, type Page } from "../health/page.ts";
import { HealthMonitor } from "../health/monitor.ts";
import { subscriptionSource } from "../health/subscription_source.ts";
import { workHealthOf } from "../status/work_health.ts";
import { isSubscriptionStatus, type SubscriptionStatus } from "../subscription/status.ts";
import { eventName, serverFindings, startFindings } from "../check/at_start.ts";
import type { Finding } from "../check/findings.ts";
import { assemble } from "./assembly.ts";
import { pythonOnlyKeys } from "../config/python_only.ts";
import { drain } from "./drain.ts";
import { engineGauges } from "./gauge_source.ts";
import { Failure } from "./failure.ts";
import { unreadGroups } from "./left_groups.ts";
import { preflight } from "./preflight.ts";
import { tellStart } from "./start_log.ts";
import { withStatus } from "../subscription/settings/status_runtime.ts";
import { untilQuiet } from "./until_quiet.ts";

const log = getLogger(["protean", "engine"]);

export interface EngineOptions {
  /** Work off everything available, then end. @default false */
  readonly once?: boolean;
  /**
   * End with an error instead of waiting when a dependency or the health port is not there at start (HLT-3).
   * @default false
   */
  readonly requireDependencies?: boolean;
  /**
   * Who answers the probes: a supervisor that asks several engines, say.
   * @default a listener on `[server.health]`
   */
  readonly listener?: HealthListenerFactory;
  /** Number of its place among several workers, a label of its metrics. @default it is alone */
  readonly worker?: number;
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

const never = new AbortController().signal;

/** From the call of `run` to its end. */
class Run {
  readonly failure = new Failure();
  readonly #ended = new AbortController();
  /** Set once the services are made. */
  runtime: ReturnType<typeof withStatus> | undefined;

  /** Aborts at the end. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
  }
}

/** The page of metrics, where `[server.metrics]` has one. */
function metricsOf({ telemetry, config }: DomainRuntime, worker: number | undefined): Page | undefined {
  const { enabled, path } = config.config.server.metrics;
  if (!enabled || !telemetry) return undefined;
  const labels: Record<string, string> = worker === undefined ? {} : { worker: String(worker) };
  return { ...metricsPlace(path), text: () => telemetry.scrape(labels) };
}

export class Engine {
  readonly #domain: Domain;
  readonly #options: EngineOptions;
  readonly #listening = Promise.withResolvers<Deno.NetAddr>();
  #run: Run | undefined;
  #services: readonly EngineService[] = [];

  /** The domain is initialised by `run` if nobody has done it before. */
  constructor(domain: Domain, options: EngineOptions = {}) {
    this.#domain = domain;
    this.#options = options;
  }

  /**
   * The address of the health listener, once it listens for the first time.
   *
   * @example
   * ```ts
   * const { hostname, port } = await engine.listening;
   * ```
   */
  get listening(): Promise<Deno.NetAddr> {
    return this.#listening.promise;
  }

  /**
   * What the subscriptions have done so far, by handler and category, as of now; empty before the start.
   *
   * @example
   * ```ts
   * const handled = engine.subscriptions.reduce((sum, { counters }) => sum + counters.handled, 0);
   * ```
   */
  get subscriptions(): readonly SubscriptionStatus[] {
    return this.#services.flatMap((service) => service.status?.() ?? []).filter(isSubscriptionStatus);
  }

  /**
   * Runs until `signal` aborts (or everything is worked off, with `once`, or the domain is closed), drains, closes the domain and
   * returns the exit code: 0, 1 after a failure, 4 when work was cut and will be redelivered. Rejects, with
   * the domain closed, when it cannot start (`ConfigurationError`, or `UnavailableError` with
   * `requireDependencies`); it may be run again after either end.
   *
   * @example
   * ```ts
   * const stop = new AbortController();
   * const code = await new Engine(domain).run({ signal: stop.signal });
   * ```
   */
  async run(options: EngineRunOptions = {}): Promise<number> {
    if (this.#run) {
      throw new IncorrectUsageError("The engine is running already: await its end before another run().");
    }
    const run = this.#run = new Run();
    using stop = joined(options.signal);
    try {
      if (!isRunning(this.#domain)) await this.#domain.init({ signal: stop.signal });
      return await this.#live(run, runtimeOf(this.#domain), stop.signal, options.cut ?? never);
    } catch (error) {
      await this.#domain.close();
      // Told to stop before it had begun: there is nothing to drain and nothing wrong.
      if (stop.signal.aborted && error === stop.signal.reason) return FINE;
      throw error;
    } finally {
      this.#run = undefined;
      run.end();
    }
  }

  /**
   * Ends the run with exit 1, drained: for whoever watches over the program and sees an error that nobody
   * handles. After the drain has cut handlers it is only logged, for most likely it is the echo of that; so
   * it is while nothing runs. Never throws.
   */
  fail(error: Error): void {
    if (this.#run) return this.#run.failure.stray(error);
    log.error("engine.stray_error", { error: error.message, stack: error.stack });
  }

  /**
   * Resolves when everything available is worked off, as `once` means it, or when `signal` aborts. Rejects
   * when the engine is not running, or its run ends before. `look` is called at every look, some fifty times
   * a second.
   */
  async untilQuiet(look: () => void = () => {}, signal: AbortSignal = never): Promise<void> {
    const { runtime, ended } = this.#run ?? {};
    if (!runtime || !ended) throw new IncorrectUsageError("The engine is not running: call run() first.");
    const over = firstOf(signal, ended);
    if (await untilQuiet({ services: this.#services, runtime, signal: over, look })) return;
    if (signal.aborted) return;
    throw new ProteanError("The engine's run has ended before everything was worked off.", {
      code: "ENGINE_ENDED",
    });
  }

  async #live(run: Run, runtime: DomainRuntime, stop: AbortSignal, cut: AbortSignal): Promise<number> {
    const { clock, config: { config } } = runtime;
    const { failure } = run;
    const required = this.#options.requireDependencies ?? false;
    const work = workHealthOf(runtime);
    const { services, subscriptions } = assemble(runtime, {
      work,
      latest: () => collected.latest(),
      // A run that is to end waits for no better times: what fails goes to the dead letters.
      breaker: !this.#options.once,
      statuses: () => this.subscriptions,
      onFailure: (error) => failure.report(error),
      ...(this.#options.random ? { random: this.#options.random } : {}),
    });
    for (const finding of startFindings(runtime, subscriptions)) tell(finding);
    const pythons = pythonOnlyKeys(runtime.config);
    if (pythons.length > 0) log.info("config.python_only", { keys: pythons });
    this.#services = services;
    const status = withStatus(runtime);
    run.runtime = status;
    const collected = subscriptionSource(status, () => this.subscriptions);
    const runners = services.filter((service) => service instanceof CheckRunner);
    const monitor = new HealthMonitor({
      components: componentsOf(runtime),
      clock,
      work,
      starting: true,
      subscriptions: collected,
      checks: () => runners.flatMap(({ states }) => states),
    });
    const withdrawGauges = engineGauges({
      ...{ runtime: status, monitor, services, collected },
      subscriptions: () => this.subscriptions,
    });
    const listener = this.#listener(runtime, monitor, required);
    try {
      await listener?.start();
      const { ended } = await preflight({
        check: () => monitor.check(stop),
        providers: managedProviders(runtime),
        tables: runtime.tables,
        streams: subscriptions.filter(({ settings }) => settings.subscriptionType === "stream")
          .flatMap(({ broker, category, backfill }) =>
            [category, ...backfill === undefined ? [] : [backfill]].map((stream) => ({
              broker,
              category: stream,
            }))
          ),
        unread: unreadGroups(subscriptions),
        notes: async () => (await serverFindings(runtime, stop)).forEach(tell),
        required,
        clock,
      });
      await monitor.start();
      const wanted = monitor.snapshot().draining
        ? services.filter(({ stage }) => stage !== "intake")
        : services;
      await Promise.all(wanted.map((service) => service.start()));
      void ended.then(() => {
        monitor.started();
        listener?.changed?.();
      });
    } catch (error) {
      // What has begun already ends without taking its time: there is no drain before a start.
      withdrawGauges();
      for (const service of services) service.cut?.();
      await Promise.all([...services, monitor].map((service: Service) => service.stop()));
      await listener?.stop();
      throw error;
    }
    tellStart(runtime.name, subscriptions, services);
    // Whoever closes the domain under it wants no engine any more, and its adapters answer nothing.
    await this.#untilStop(status, firstOf(stop, failure.signal, runtime.closing));
    log.info("engine.shutting_down", { signal: typeof stop.reason === "string" ? stop.reason : undefined });
    const redelivered = await drain({
      services,
      monitor,
      listener,
      ...(runtime.telemetry && { closeTelemetry: runtime.telemetry.close.bind(runtime.telemetry) }),
      close: () => {
        withdrawGauges();
        return this.#domain.close();
      },
      onCut: () => failure.handlersCut(),
      clock,
      drainTimeoutSeconds: config.server.drain_timeout_seconds,
    }, cut);
    const code = failure.signal.aborted ? FAILED : redelivered > 0 ? CUT : FINE;
    log.info("engine.stopped", { exit_code: code });
    return code;
  }

  #listener(runtime: DomainRuntime, monitor: HealthMonitor, required: boolean): HealthListener | undefined {
    const services = this.#services;
    const listener = (this.#options.listener ?? ownListener)({
      source: {
        alive: () => !services.some((service) => service.stuck),
        page: metricsOf(runtime, this.#options.worker),
        snapshot: () => monitor.snapshot(),
        drain: () => {
          this.#takeNothingNew(monitor);
          listener?.changed?.();
        },
      },
      settings: runtime.config.config.server.health,
      required,
      clock: runtime.clock,
    });
    void listener?.bound?.then((address) => this.#listening.resolve(address));
    return listener;
  }

  /** Messages are read no more; handlers that run go on, and so does the outbox (S27). */
  #takeNothingNew(monitor: HealthMonitor): void {
    if (monitor.snapshot().draining) return;
    log.info("engine.drain_requested", { pid: Deno.pid });
    monitor.beginDraining();
    for (const service of this.#services) if (service.stage === "intake") void service.stop();
  }

  async #untilStop(runtime: ReturnType<typeof withStatus>, over: AbortSignal): Promise<void> {
    if (this.#options.once) {
      await untilQuiet({ services: this.#services, runtime, signal: over, look: () => {} });
      for (const { handler, category, postponed } of this.subscriptions) {
        if (postponed > 0) log.info("engine.left_postponed", { handler, category, messages: postponed });
      }
      return;
    }
    if (over.aborted) return;
    await new Promise<void>((resolve) => over.addEventListener("abort", () => resolve(), { once: true }));
  }
}

function tell(finding: Finding): void {
  const { key, level } = finding;
  log[level === "info" ? "info" : "warn"](eventName(finding), { key, message: describeProblem(finding) });
}
