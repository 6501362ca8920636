/**
 * The probes for a program of the team's own: an API process that publishes, a server on Hono or Oak (design
 * 5).
 *
 * @module
 */
import type { BaseProvider } from "../adapters/ports.ts";
import type { BackgroundService } from "../async/service.ts";
import type { Domain } from "../domain/domain.ts";
import { managedProviders } from "../domain/places.ts";
import { type DomainRuntime, isRunning, runtimeOf } from "../domain/runtime.ts";
import { workHealthOf } from "../status/work_health.ts";
import { componentsOf } from "./components.ts";
import { LockWatch } from "./lock_watch.ts";
import { HealthMonitor } from "./monitor.ts";
import { applicationRoutes, pathOf, respond } from "./routes.ts";
import { WorkProbe } from "./work_probe.ts";

/** Options of `createHealthRouter`. */
export interface HealthRouterOptions {
  /** What stands before `/healthz`, `/livez` and `/readyz`, such as `/internal`. @default "" */
  readonly prefix?: string;
  /** Milliseconds from one round of pings to the next. @default 2000 */
  readonly intervalMs?: number;
  /** Milliseconds that one ping may take. @default 1000 */
  readonly pingTimeoutMs?: number;
}

/** Returns the probes; undefined for every path that is none, so that the program goes on. Never rejects. */
export type HealthRouter = (request: Request) => Promise<Response | undefined>;

/** Longest correlation id that is given back. */
const MAX_ID = 128;

/**
 * Liveness says that this program runs; readiness pings every adapter of `domain` in the background, reads and
 * writes the server's own tables as the work does without changing them, and hears from an engine of the same
 * domain. That begins with the first request and ends with `domain.close()`; only that first request waits for
 * a ping, at most `pingTimeoutMs`. `X-Correlation-ID`, or else `X-Request-ID`, is given back under both names (wire
 * 9.2).
 *
 * Before `domain.init()` and after `domain.close()` readiness is 503.
 *
 * ```ts
 * const health = createHealthRouter(domain);
 * Deno.serve(async (request) => await health(request) ?? app(request));
 * ```
 */
export function createHealthRouter(domain: Domain, options: HealthRouterOptions = {}): HealthRouter {
  const { prefix: given = "", ...timing } = options;
  // Of "internal/" nobody would ever hear that it matches nothing.
  const prefix = given.replace(/^\/*(?=[^/])/, "/").replace(/\/+$/, "");
  let watch: Watch | undefined;

  /**
   * Starts the pings when they are not running; a domain that was closed and initialised again has new
   * adapters.
   */
  const start = async (): Promise<void> => {
    const runtime = isRunning(domain) ? runtimeOf(domain) : undefined;
    if (watch?.runtime !== runtime) watch = runtime && new Watch(runtime, timing);
    await watch?.checked;
  };
  const routes = applicationRoutes(() => {
    if (!watch) throw new Error("The domain is not initialised.");
    return watch.monitor.snapshot();
  }, prefix);

  return async (request) => {
    const pathname = pathOf(request.url);
    if (!routes.has(pathname)) return undefined;
    const started = start();
    if (pathname === `${prefix}/readyz`) await started;
    return correlated(request, respond(request, routes));
  };
}

/** The pings of one initialised domain, and what its work would meet; they end when it closes. */
class Watch {
  readonly monitor: HealthMonitor;
  readonly #services: readonly BackgroundService[];
  /** Resolves after the first round of pings. */
  readonly checked: Promise<void>;

  constructor(readonly runtime: DomainRuntime, timing: Omit<HealthRouterOptions, "prefix">) {
    const { clock } = runtime;
    const health = workHealthOf(runtime);
    this.monitor = new HealthMonitor({ components: componentsOf(runtime), work: health, clock, ...timing });
    const reporter = ({ name }: BaseProvider) => health.reporter("provider", name);
    this.#services = [
      ...managedProviders(runtime).map((provider) =>
        new WorkProbe({ provider, clock, work: reporter(provider) })
      ),
      ...[...runtime.providers.values()].map((provider) =>
        new LockWatch({ provider, clock, work: reporter(provider) })
      ),
      this.monitor,
    ];
    this.checked = this.#begin(runtime.closing);
  }

  async #begin(closing: AbortSignal): Promise<void> {
    const stop = () => void Promise.all(this.#services.map((service) => service.stop()));
    closing.addEventListener("abort", stop, { once: true });
    await this.monitor.check(closing);
    if (!closing.aborted) await Promise.all(this.#services.map((service) => service.start()));
  }
}

function correlated(request: Request, response: Response): Response {
  const id = request.headers.get("x-correlation-id") ?? request.headers.get("x-request-id");
  if (!id || id.length > MAX_ID) return response;
  response.headers.set("x-correlation-id", id);
  response.headers.set("x-request-id", id);
  return response;
}
