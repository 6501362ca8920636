/**
 * A domain in memory whose messages are delivered when the test says so.
 *
 * @module
 */
import { FakeClock } from "./fake_clock.ts";
import type { Domain } from "../domain/domain.ts";
import { MAIN_BROKER } from "../domain/places.ts";
import { runtimeOf } from "../domain/runtime.ts";
import type { StartOptions } from "../domain/startup.ts";
import type { AggregateType, In, MessageType, Out, ProjectionType, Row, Schema } from "../domain/types.ts";
import { IncorrectUsageError, ProteanError } from "../errors.ts";
import { batchesOf, deliver, receive, takeOutbox } from "./delivery.ts";
import { TestServer } from "./test_server.ts";
import { type FailedDelivery, Outcome, type PublishedMessage } from "./outcome.ts";

export interface TestOptions {
  /** What the clock shows at first. @default 2026-01-01T00:00:00Z */
  readonly now?: Date | number;
  /**
   * Tables of the configuration in place of those in memory: `databases` with SQLite in a temporary folder,
   * where handlers use `ctx.sql`, `server.profiles`, `event_processing: "sync"`. Leave `[server.version_retry]`
   * and `[server.transient_retry]` without delays, unless time is moved.
   */
  readonly config?: Row;
}

const AT_ONCE: Row = {
  // Time stands still, so a conflict is repeated at once.
  version_retry: { base_delay_seconds: 0 },
  // A day of a server's time passes faster the less often it looks in vain; what comes ends a read at once.
  stream_subscription: { blocking_timeout_ms: 10_000 },
};

const IN_MEMORY: Row = {
  databases: { default: { provider: "memory" } },
  brokers: { default: { provider: "memory" } },
  caches: { default: { provider: "memory" } },
  event_store: { provider: "memory" },
  server: AT_ONCE,
};

/** A test that is not quiet by then never will be. */
const MAX_MESSAGES = 10_000;

/**
 * Initialises `domain` for a test; `await using` closes it. The same domain can be tested any number of
 * times.
 */
export async function testDomain(domain: Domain, options: TestOptions = {}): Promise<TestDomain> {
  const { now, config = {} } = options;
  const clock = new FakeClock(now === undefined ? undefined : Number(now));
  const server = config["server"] === undefined ? IN_MEMORY["server"] : served(config["server"]);
  const start: StartOptions = { config: { ...IN_MEMORY, ...config, server }, env: "", clock };
  await domain.init(start);
  return new TestDomain(domain, clock);
}

/** What is no table is left to be judged. */
function served(server: unknown): unknown {
  const isTable = typeof server === "object" && server !== null && !Array.isArray(server);
  return isTable ? { ...AT_ONCE, ...server } : server;
}

export class TestDomain implements AsyncDisposable {
  readonly #messages: PublishedMessage[] = [];
  readonly #failures: FailedDelivery[] = [];

  #server: TestServer | undefined;

  constructor(readonly domain: Domain, readonly clock: FakeClock) {}

  /**
   * Runs the domain as a server does, with retries, dead letters, breakers and whatever else its settings say,
   * until `stop()` or the end of the scope; time passes by its `advance` alone. Meanwhile `given`, `when`,
   * `receive` and `drain` of this domain are not there. Rejects with a `ConfigurationError` that lists every
   * handler whose settings cannot work.
   *
   * @example
   * ```ts
   * await using server = await shop.serve();
   * await server.send(OrderPlaced, { orderId: "1", amount: 5 });
   * await server.advance(60_000);
   * assertEquals(server.subscription("Shipping").counters.deadLettered, 1);
   * ```
   */
  async serve(): Promise<TestServer> {
    this.#alone();
    return this.#server = await TestServer.start(this.domain, this.clock, () => this.#server = undefined);
  }

  #alone(): void {
    if (!this.#server) return;
    throw new IncorrectUsageError(
      "The domain is served: use send() and advance() of its server, or stop() it.",
    );
  }

  /** Everything since the beginning. */
  get outcome(): Outcome {
    return new Outcome([...this.#messages], [...this.#failures]);
  }

  /** Sets the stage: an event or a command that is fully worked off. Throws the first failure. */
  async given<S extends Schema>(message: MessageType<S>, data: In<S>): Promise<void> {
    const { failures: [failure] } = await this.when(message, data);
    if (failure) {
      throw new ProteanError(`${message.name} cannot be given: ${failure.handler} failed on it.`, {
        cause: failure.error,
      });
    }
  }

  /** Publishes an event or sends a command, delivers until all is quiet, and returns what came of it. */
  async when<S extends Schema>(message: MessageType<S>, data: In<S>): Promise<Outcome> {
    this.#alone();
    if (message.kind === "event") await this.domain.publish(message, data);
    else await this.domain.process(message, data, { asynchronous: true });
    return await this.drain();
  }

  /**
   * Has subscribers handle an entry of another system's stream, delivers what they send until all is quiet, and
   * returns what came of it. A text is the entry as it is, which need be no message at all. The same `id` twice
   * is the same entry delivered again.
   */
  async receive(
    stream: string,
    payload: Row | string,
    { broker = MAIN_BROKER, id = crypto.randomUUID() }: { broker?: string; id?: string } = {},
  ): Promise<Outcome> {
    this.#alone();
    const failures = this.#failures.length;
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    this.#failures.push(...await receive(runtimeOf(this.domain), { broker, stream, id }, text));
    const { messages } = await this.drain();
    return new Outcome(messages, this.#failures.slice(failures));
  }

  /** Delivers everything that is committed, and what is committed meanwhile, until all is quiet. */
  async drain(): Promise<Outcome> {
    this.#alone();
    const runtime = runtimeOf(this.domain);
    const [messages, failures] = [this.#messages.length, this.#failures.length];
    for (let batch = await takeOutbox(runtime); batch.length > 0; batch = await takeOutbox(runtime)) {
      const batches = batchesOf(runtime);
      for (const message of batch) {
        this.#messages.push(message);
        this.#failures.push(...await deliver(runtime, message, batches));
      }
      this.#failures.push(...await batches.flush());
      if (this.#messages.length - messages > MAX_MESSAGES) {
        throw new ProteanError(
          `The domain is not quiet after ${MAX_MESSAGES} messages: its handlers seem to answer each other for ever.`,
        );
      }
    }
    return new Outcome(this.#messages.slice(messages), this.#failures.slice(failures));
  }

  /** State of a stored aggregate. */
  async state<S extends Schema, A extends string>(
    aggregate: AggregateType<S, A>,
    id: string,
  ): Promise<Readonly<Out<S>> | undefined> {
    return await this.domain.unitOfWork(async (ctx) => (await ctx.repository(aggregate).find(id))?.state);
  }

  /** The rows of a projection, in order of id. */
  async rows<S extends Schema>(projection: ProjectionType<S>): Promise<Out<S>[]> {
    return await this.domain.unitOfWork((ctx) => ctx.view(projection).list({ limit: MAX_MESSAGES }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop();
    await this.domain.close();
  }
}
