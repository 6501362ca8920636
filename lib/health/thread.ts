/**
 * Probes that are answered although the engine's own loop is blocked: by a thread that owns the port and is
 * told by the engine, as long as that can tell anything, how it is (HLT-1, design 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep } from "../async/clock.ts";
import { ConfigurationError } from "../errors.ts";
import {
  type HealthListener,
  type HealthListenerFactory,
  type HealthListenerOptions,
  ownListener,
} from "./listener.ts";
import type { Page } from "./page.ts";
import { HealthReporter, reportEveryMs } from "./report.ts";
import type { FromThread, ToThread } from "./thread_messages.ts";

const log = getLogger(["protean", "health"]);

/** How long its modules may take to load. */
const LOAD_MS = 5_000;
/** How long its last answers are waited for. */
const STOP_MS = 1_000;

/** The module of the thread: beside this one, or in an executable where the bundle has put it. */
function moduleOfThread(): string {
  const beside = new URL("./thread_worker.ts", import.meta.url);
  return import.meta.url.endsWith("/health/thread.ts")
    ? beside.href
    : import.meta.resolve("@protean/health-thread");
}

/**
 * Begins to load a thread, for one engine. Where there can be none, as in a bundle that has left its module
 * out, the engine's own listener answers.
 */
export function healthThread(): Disposable & { readonly listener: HealthListenerFactory } {
  let worker: Worker | undefined;
  try {
    worker = new Worker(moduleOfThread(), { type: "module", name: "health" });
  } catch (error) {
    log.debug("health.no_thread", { error });
  }
  const thread = worker && new Thread(worker);
  return {
    listener: (options) => {
      if (!options.settings.enabled || !thread) return ownListener(options);
      return new ThreadListener(thread, options);
    },
    [Symbol.dispose]: () => thread?.end(),
  };
}

/** The thread and the latest of each thing that it said. */
class Thread {
  readonly #worker: Worker;
  readonly #said = new Map<FromThread["kind"] | "failed", PromiseWithResolvers<FromThread | undefined>>();
  /** `POST /drainz`. */
  onDrain: () => void = () => {};
  /** Makes the page beside the probes. */
  page: Page | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<FromThread>) => this.#take(data));
    worker.addEventListener("error", (event) => {
      // Or the whole process ends.
      event.preventDefault();
      log.debug("health.no_thread", { error: event.message });
      this.#of("failed").resolve(undefined);
    });
  }

  tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** Resolves when it says so, for the first time; undefined where it has failed, or does not in time. */
  async first<K extends FromThread["kind"]>(
    kinds: readonly K[],
    ms: number,
    clock: Clock,
  ): Promise<Extract<FromThread, { kind: K }> | undefined> {
    const over = new AbortController();
    const late = sleep(clock, ms, over.signal).then(() => undefined);
    const said = await Promise.race(
      [...kinds, "failed" as const].map((kind) => this.#of(kind).promise).concat(late),
    );
    over.abort();
    return said as Extract<FromThread, { kind: K }> | undefined;
  }

  get bound(): Promise<Deno.NetAddr> {
    return this.#of("bound").promise.then((said) => (said as Extract<FromThread, { kind: "bound" }>).address);
  }

  end(): void {
    this.#worker.terminate();
  }

  #take(message: FromThread): void {
    if (message.kind === "drain") return this.onDrain();
    if (message.kind === "page") return void this.#answer(message.id);
    if (message.kind !== "log") return this.#of(message.kind).resolve(message);
    const { level, event, properties } = message;
    log[level](event, properties);
  }

  async #answer(id: number): Promise<void> {
    this.tell({ kind: "page", id, text: await this.page?.text() });
  }

  #of(kind: FromThread["kind"] | "failed"): PromiseWithResolvers<FromThread | undefined> {
    const said = this.#said.get(kind) ?? Promise.withResolvers<FromThread | undefined>();
    this.#said.set(kind, said);
    return said;
  }
}

class ThreadListener implements HealthListener {
  readonly name = "health_thread";
  readonly bound: Promise<Deno.NetAddr>;
  readonly #thread: Thread;
  readonly #options: HealthListenerOptions;
  readonly #reporter: HealthReporter;
  readonly #bound = Promise.withResolvers<Deno.NetAddr>();
  #own: HealthListener | undefined;

  constructor(thread: Thread, options: HealthListenerOptions) {
    this.#thread = thread;
    this.#options = options;
    this.bound = this.#bound.promise;
    this.#reporter = new HealthReporter({
      everyMs: reportEveryMs(options.settings.blocked_after_seconds),
      clock: options.clock,
      send: (report) => thread.tell({ kind: "report", report }),
    });
    thread.onDrain = () => options.source.drain();
  }

  async start(): Promise<void> {
    const { settings, required, clock, source } = this.#options;
    const { page } = source;
    this.#thread.page = page;
    if (!await this.#thread.first(["loaded"], LOAD_MS, clock)) return await this.#startOwn();
    this.#thread.tell({
      kind: "start",
      settings: {
        ...{
          host: settings.host,
          port: settings.port,
          portAutoIncrement: settings.port_auto_increment,
          required,
        },
        blockedAfterSeconds: settings.blocked_after_seconds,
        ...(page && { page: { path: page.path, contentType: page.contentType } }),
      },
    });
    void this.#thread.bound.then(this.#bound.resolve);
    const answer = await this.#thread.first(["started", "refused"], LOAD_MS, clock);
    if (answer?.kind === "refused") throw new ConfigurationError(answer.message, { code: answer.code });
    this.#reporter.attach(source);
    await this.#reporter.start();
  }

  changed(): void {
    this.#reporter.changed();
  }

  async stop(): Promise<void> {
    if (this.#own) return await this.#own.stop();
    await this.#reporter.stop();
    this.#thread.tell({ kind: "stop" });
    await this.#thread.first(["stopped"], STOP_MS, this.#options.clock);
    this.#thread.end();
  }

  async #startOwn(): Promise<void> {
    this.#own = ownListener(this.#options);
    void this.#own?.bound?.then(this.#bound.resolve);
    await this.#own?.start();
  }
}
