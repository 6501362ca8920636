/**
 * The services of a domain in the test's own process, on the test's clock: retries, dead letters, breakers,
 * lanes, partitions and the event store as a server has them, without a server and without waiting.
 *
 * @module
 */
import { DeadLetterQueues, type QueuedLetter } from "../dlq/queues.ts";
import { MAIN_BROKER } from "../domain/places.ts";
import type { Domain } from "../domain/domain.ts";
import { runtimeOf } from "../domain/runtime.ts";
import type { In, MessageType, Row, Schema } from "../domain/types.ts";
import { assemble } from "../engine/assembly.ts";
import { drain } from "../engine/drain.ts";
import type { EngineService } from "../async/service.ts";
import { IncorrectUsageError, ProteanError } from "../errors.ts";
import { workHealthOf } from "../status/work_health.ts";
import { isSubscriptionStatus, type SubscriptionStatus } from "../subscription/status.ts";
import type { FakeClock } from "./fake_clock.ts";

/** So much time passes with `send`: enough for a message to arrive, too little for most retries. */
const ARRIVES_MS = 100;
/** A start or a stop that takes longer on the clock of the test never ends. */
const MOST_MS = 600_000;
const STEP_MS = 10;
const MOST_LETTERS = 1000;

export class TestServer implements AsyncDisposable {
  readonly #domain: Domain;
  readonly #clock: FakeClock;
  readonly #ended: () => void;
  #services: readonly EngineService[] = [];
  #failure: Error | undefined;

  private constructor(domain: Domain, clock: FakeClock, ended: () => void) {
    this.#domain = domain;
    this.#clock = clock;
    this.#ended = ended;
  }

  /**
   * Starts everything that a server of this domain runs; `ended` is called once it has stopped. Rejects with a
   * `ConfigurationError` that lists every handler whose settings cannot work.
   */
  static async start(domain: Domain, clock: FakeClock, ended: () => void): Promise<TestServer> {
    const server = new TestServer(domain, clock, ended);
    const runtime = runtimeOf(domain);
    const { services } = assemble(runtime, {
      work: workHealthOf(runtime),
      // No jitter: a retry comes exactly when its backoff says.
      random: () => 0.5,
      onFailure: (error) => server.#failure ??= error,
    });
    server.#services = services;
    try {
      await server.#passing(Promise.all(services.map((service) => service.start())));
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** What the subscriptions have done so far, by handler and category, as of now. */
  get subscriptions(): readonly SubscriptionStatus[] {
    return this.#services.flatMap((service) => service.status?.() ?? []).filter(isSubscriptionStatus);
  }

  /**
   * What the subscription of a handler has done so far: its counters, its breaker. `category` is needed where
   * the handler reads several. Throws an `IncorrectUsageError` where there is no such one, or more than one.
   */
  subscription(handler: string, category?: string): SubscriptionStatus {
    const all = this.subscriptions;
    const own = all.filter((one) => one.handler === handler && (category ?? one.category) === one.category);
    const [found] = own;
    if (found && own.length === 1) return found;
    const known = (found ? own : all).map((one) => `${one.handler} on ${one.category}`).join(", ");
    throw new IncorrectUsageError(
      `${own.length} subscriptions are of '${handler}'${category ? ` on '${category}'` : ""}: ` +
        `name one of ${known || "none, as nothing runs"}.`,
    );
  }

  /** Publishes an event or sends a command, and lets a tenth of a second pass. */
  async send<S extends Schema>(message: MessageType<S>, data: In<S>): Promise<void> {
    if (message.kind === "event") await this.#domain.publish(message, data);
    else await this.#domain.process(message, data, { asynchronous: true });
    await this.advance(ARRIVES_MS);
  }

  /**
   * Puts an entry on another system's stream, as it would, and lets a tenth of a second pass. A text is the
   * entry as it is, which need be no message at all. Rejects where the broker has not taken it.
   */
  async receive(stream: string, payload: Row | string, { broker = MAIN_BROKER } = {}): Promise<void> {
    const found = runtimeOf(this.#domain).brokers.get(broker);
    if (!found) {
      throw new IncorrectUsageError(`There is no broker '${broker}': name one of the configuration.`);
    }
    const data = typeof payload === "string" ? payload : JSON.stringify(payload);
    const [result] = await found.publish([{ stream, data }]);
    if (result && "error" in result) throw result.error;
    await this.advance(ARRIVES_MS);
  }

  /**
   * Lets `ms` pass: whatever is due runs, in order. What a handler waits for outside of this process, or on the
   * machine's own timers, is not waited for. Rejects with what a service failed on for good, which would
   * have ended a server.
   */
  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    if (this.#failure) throw this.#failure;
  }

  /** The dead letters, the newest first; of one handler where it is named. At most 1000. */
  async deadLetters(handler?: string): Promise<readonly QueuedLetter[]> {
    const queues = DeadLetterQueues.of(runtimeOf(this.#domain));
    return (await queues.list({ limit: MOST_LETTERS, ...(handler !== undefined && { handler }) })).entries;
  }

  /**
   * As a server drains: what runs may end within `drain_timeout_seconds`, is told by its signal then, and handed
   * back. Returns how many messages will be delivered again. The domain stays open, and may be served again.
   */
  async stop(): Promise<number> {
    const services = this.#services;
    this.#services = [];
    const { drain_timeout_seconds: drainTimeoutSeconds } = runtimeOf(this.#domain).config.config.server;
    const monitor = { name: "test", start: resolved, stop: resolved, beginShutdown: () => {} };
    const close = () => Promise.resolve([]);
    const parts = { services, monitor, listener: undefined, close, clock: this.#clock, drainTimeoutSeconds };
    try {
      return await this.#passing(drain(parts, new AbortController().signal));
    } finally {
      this.#ended();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#services.length > 0) await this.stop();
  }

  /** Moves time until `work` has ended. */
  async #passing<R>(work: Promise<R>): Promise<R> {
    let over = false;
    const ended = work.finally(() => over = true);
    ended.catch(() => {});
    for (let passed = 0; !over && passed < MOST_MS; passed += STEP_MS) await this.#clock.advance(STEP_MS);
    if (over) return await ended;
    throw new ProteanError(
      `The test's server has neither begun nor ended within ${MOST_MS / 1000} seconds of its clock: ` +
        "look in the log for what it waits for.",
    );
  }
}

function resolved(): Promise<void> {
  return Promise.resolve();
}
