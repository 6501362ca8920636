/**
 * The domain: the registry of a team's elements plus its adapters, and its lifecycle `init()` → work →
 * `close()`.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { firstOf } from "../async/abort.ts";
import type { AdapterKind } from "../adapters/ports.ts";
import { type AdapterClass, AdapterRegistry } from "../adapters/registry.ts";
import { type Clock, systemClock } from "../async/clock.ts";
import { IncorrectUsageError } from "../errors.ts";
import { assertAdapterClass } from "../loading/adapter_modules.ts";
import { MAX_SENT_BYTES } from "../message/envelope.ts";
import { closeAdapters } from "./closing.ts";
import { type DeadLetterQueues, deadLettersOf } from "./dead_letters.ts";
import { type Operations, operationsOf } from "./operations.ts";
import { WorkContext } from "./work/context.ts";
import { Declarations, identityOf } from "./elements/declarations.ts";
import { OUTSIDE } from "./work/outgoing.ts";
import { runUnitOfWork } from "./work/run_unit.ts";
import type { InitOptions, ProcessOptions, PublishOptions } from "./options.ts";
import { setDeclared } from "./inspection.ts";
import { messageOf } from "./elements/message_definition.ts";
import { type DomainRuntime, setRuntime } from "./runtime.ts";
import { guardOf, processCommand, publishEvent } from "./handlers/sending.ts";
import { start, type Started, type StartOptions } from "./startup.ts";
import type { Context, In, MessageType, Schema } from "./types.ts";

const log = getLogger(["protean", "domain"]);

/** A discriminated union instead of flags: what may be done depends on it. */
type State =
  | { readonly kind: "idle" }
  | { readonly kind: "starting"; readonly closing: AbortController; readonly settled: Promise<void> }
  | { readonly kind: "running"; readonly closing: AbortController; readonly started: Started }
  | { readonly kind: "closing"; readonly closed: Promise<readonly Error[]> };

/**
 * ```ts
 * const domain = new Domain("my_domain");
 * const Order = domain.aggregate("Order", { schema });
 * await domain.init();
 * ```
 */
export class Domain extends Declarations implements AsyncDisposable {
  readonly name: string;
  readonly #registry = new AdapterRegistry();
  readonly #clock: { current: Clock };
  readonly #sizes: { most: number };
  #state: State = { kind: "idle" };

  constructor(name: string) {
    const clock = { current: systemClock };
    const sizes = { most: MAX_SENT_BYTES };
    super(identityOf(name, () => clock.current.now(), () => sizes.most));
    this.name = name;
    this.#clock = clock;
    this.#sizes = sizes;
    setDeclared(this, { identity: this.identity, elements: this.elements, registry: this.#registry });
  }

  /** Prefix of categories, tables and consumer groups: `my_domain`. */
  get normalizedName(): string {
    return this.identity.normalizedName;
  }

  /**
   * What could not be handled: found, replayed, put aside, removed. Works between the end of `init` and
   * `close`.
   *
   * @example
   * ```ts
   * await domain.deadLetters.replay({ handler: "OrderEventHandler", error: "TimeoutError" }, { canary: 5 });
   * ```
   */
  get deadLetters(): DeadLetterQueues {
    return deadLettersOf(() => this.#started().runtime);
  }

  /**
   * Work on many letters or messages that was begun by `deadLetters` or a command, in whatever process. Works
   * between the end of `init` and `close`.
   *
   * @example
   * ```ts
   * for (const { id, state, done, total } of await domain.operations.list()) console.log(id, state, done, total);
   * ```
   */
  get operations(): Operations {
    return operationsOf(() => this.#started().runtime);
  }

  /**
   * Registers an adapter of your own: `provider = "kafka"` in `domain.toml` then means `adapter`. It hides a
   * built-in one of that name. Throws `IncorrectUsageError` unless it extends the base class of its kind.
   *
   * @example
   * ```ts
   * domain.registerAdapter("cache", "shelf", ShelfCache); // then: [caches.default] provider = "shelf"
   * ```
   */
  registerAdapter<K extends AdapterKind>(kind: K, name: string, adapter: AdapterClass<K>): void {
    assertAdapterClass(kind, name, adapter);
    this.elements.assertOpen(`${kind} adapter`, name);
    this.#registry.register(kind, name, adapter);
  }

  /**
   * Judges the elements, loads the configuration, opens the adapters. Throws one `ConfigurationError` that
   * lists every problem; the domain may be initialised again then, as after `close()`.
   *
   * @example
   * ```ts
   * await domain.init({ config: "shop.toml", env: "production" }); // without them: the file that is found
   * ```
   */
  async init(options: InitOptions = {}): Promise<void> {
    if (this.#state.kind !== "idle") {
      throw new IncorrectUsageError(
        `The domain '${this.name}' is ${this.#state.kind} already: await domain.close() before another init().`,
      );
    }
    this.elements.freeze();
    const closing = new AbortController();
    const further: StartOptions = options;
    this.#clock.current = further.clock ?? systemClock;
    const signal = options.signal ? firstOf(options.signal, closing.signal) : closing.signal;
    const starting = start(this.identity, this.elements, this.#registry, closing.signal, {
      ...further,
      signal,
    });
    this.#state = { kind: "starting", closing, settled: starting.then(() => {}, () => {}) };
    try {
      const started = await starting;
      this.#sizes.most = started.runtime.config.config.server.max_message_bytes;
      this.#state = { kind: "running", closing, started };
      setRuntime(this, started.runtime);
    } catch (error) {
      this.#idle();
      throw error;
    }
  }

  /**
   * Sends a command (returns its event-store position, undefined without an event store) or, with
   * `asynchronous: false`, handles it here (returns what the handler returned). A repeated `idempotencyKey`
   * has no effect and returns undefined. Within a handler use `ctx.process`: this is a transaction of its
   * own, which may wait for the handler's for ever.
   *
   * @example
   * ```ts
   * await domain.process(PlaceOrder, { orderId: "o-1", amount: 10 }, { idempotencyKey: "checkout-77" });
   * ```
   */
  async process<S extends Schema>(
    command: MessageType<S>,
    data: In<S>,
    options: ProcessOptions = {},
  ): Promise<unknown> {
    const definition = messageOf(command, "command");
    const { runtime, commandHandlers } = this.#started();
    return await processCommand(
      runtime,
      definition,
      data,
      options,
      commandHandlers.get(definition.typeString),
    );
  }

  /**
   * Publishes an event that no aggregate raised; returns its message id. Its stream is `<category>-<id>`,
   * where id is the option, else the payload's field named like the aggregate's identity (`id`, `orderId` or
   * `order_id`), else a new one (delivery 12).
   *
   * @example
   * ```ts
   * const id = await domain.publish(OrderPlaced, { orderId: "o-1", amount: 10 });
   * ```
   */
  async publish<S extends Schema>(
    event: MessageType<S>,
    data: In<S>,
    options: PublishOptions = {},
  ): Promise<string> {
    const definition = messageOf(event, "event");
    return await publishEvent(this.#started().runtime, definition, data, options);
  }

  /**
   * Work outside of a handler: commits what was done through the context, unless `work` throws. Within a
   * handler use its own context: this is a transaction of its own, which may wait for the handler's for ever.
   *
   * @example
   * ```ts
   * const order = await domain.unitOfWork((ctx) => ctx.repository(Order).get("o-1"));
   * ```
   */
  async unitOfWork<R>(work: (ctx: Context) => Promise<R>): Promise<R> {
    const { runtime } = this.#started();
    const guard = guardOf(runtime);
    const name = "unit_of_work";
    const options = { name, origin: OUTSIDE, guard, repeat: false };
    const { value } = await runUnitOfWork(
      runtime,
      options,
      (unit) => work(new WorkContext(unit, guard, name)),
    );
    return value;
  }

  /**
   * Closes event store, brokers, caches and providers, in that order, whatever fails on the way; returns what
   * failed. An adapter that hangs is waited for 1.8 s at most. Never throws; a second call waits for the first.
   *
   * @example
   * ```ts
   * for (const error of await domain.close()) console.error(error.message);
   * ```
   */
  async close(): Promise<readonly Error[]> {
    const state = this.#state;
    switch (state.kind) {
      case "idle":
        return [];
      case "starting":
        state.closing.abort(
          new IncorrectUsageError(`The domain '${this.name}' was closed while it was starting.`),
        );
        await state.settled;
        // It may have come too late to stop the start.
        return await this.close();
      case "closing":
        return await state.closed;
      case "running": {
        const closed = this.#close(state.started.runtime, state.closing);
        this.#state = { kind: "closing", closed };
        return await closed;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(runtime: DomainRuntime, closing: AbortController): Promise<readonly Error[]> {
    setRuntime(this, undefined);
    closing.abort(new IncorrectUsageError(`The domain '${this.name}' is closing.`));
    const [errors] = await Promise.all([closeAdapters(runtime, runtime.clock), runtime.telemetry?.close()]);
    for (const error of errors) log.error("domain.close_failed", { error: error.message });
    this.#idle();
    return errors;
  }

  #idle(): void {
    this.elements.thaw();
    this.#state = { kind: "idle" };
  }

  #started(): Started {
    const state = this.#state;
    if (state.kind === "running") return state.started;
    throw new IncorrectUsageError(
      state.kind === "idle"
        ? `The domain '${this.name}' is not initialised: await domain.init() first.`
        : `The domain '${this.name}' is ${state.kind}: it works between the end of init() and close().`,
    );
  }
}
