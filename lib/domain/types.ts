/**
 * The public types of the domain surface (spec: api.d.ts). A domain module works with these; the classes
 * behind them are ours alone.
 *
 * @module
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Logger } from "@logtape/logtape";

/**
 * Any Standard Schema validator: zod, valibot, arktype. Synchronous, and it accepts its own JSON output
 * (delivery 17).
 */
export type Schema = StandardSchemaV1;
/** What a schema takes. */
export type In<S extends Schema> = StandardSchemaV1.InferInput<S>;
/** What a schema gives back. */
export type Out<S extends Schema> = StandardSchemaV1.InferOutput<S>;
/** Any object with string keys. */
export type Row = Record<string, unknown>;

/** An event or command as declared on a domain. `A` is the name of its aggregate. */
export interface MessageType<S extends Schema = Schema, A extends string = string> {
  readonly kind: "event" | "command";
  readonly name: string;
  readonly version: number;
  /** `MyDomain.OrderPlaced.v1`. */
  readonly typeString: string;
  readonly schema: S;
  /** Name of the aggregate it belongs to; `(external)` for another domain's messages. */
  readonly partOf: A;
}

/** An aggregate as declared on a domain. */
export interface AggregateType<S extends Schema = Schema, A extends string = string> {
  readonly name: A;
  /** Stream category of its events, such as `my_domain::order`. */
  readonly category: string;
  readonly schema: S;
  /** A new instance; it is stored once a repository's `add` is committed. Throws `ValidationError`. */
  create(state: In<S>): Instance<S, A>;
}

/** A read model as declared on a domain. */
export interface ProjectionType<S extends Schema = Schema> {
  readonly name: string;
  readonly schema: S;
}

/** One aggregate. Synchronous: nothing is stored before `add` and the commit of the unit of work. */
export interface Instance<S extends Schema, A extends string = string> {
  readonly id: string;
  /** Version of the stored row: -1 before the first save, which makes it 0. */
  readonly version: number;
  readonly state: Readonly<Out<S>>;
  /** Replaces the state, or some fields of it. Throws `ValidationError`; the identity cannot change. */
  update(change: Partial<Out<S>> | ((state: Readonly<Out<S>>) => Out<S>)): void;
  /** Notes an event that is published if and only if this instance is saved. Throws `ValidationError`. */
  raise<E extends Schema>(event: MessageType<E, A>, data: In<E>): void;
}

/** The stored aggregates of one kind. Within one unit of work an id is always the same instance. */
export interface Repository<S extends Schema, A extends string> {
  /** Throws `ObjectNotFoundError`. */
  get(id: string): Promise<Instance<S, A>>;
  find(id: string): Promise<Instance<S, A> | undefined>;
  /**
   * Loads many at once: those that exist, by id, in the order in which they are asked for. One statement for each
   * thousand that this unit of work does not know yet; an id that is given twice is loaded once.
   *
   * @example
   * ```ts
   * const orders = await ctx.repository(Order).getMany(events.map(({ orderId }) => orderId));
   * const order = orders.get(orderId);
   * ```
   */
  getMany(ids: readonly string[]): Promise<ReadonlyMap<string, Instance<S, A>>>;
  /** Saves the instance with the commit: its state and every event raised on it by then. */
  add(instance: Instance<S, A>): Promise<void>;
  /** Deletes the instance with the commit; events raised on it are still published. */
  remove(instance: Instance<S, A>): Promise<void>;
}

/** The rows of one projection. */
export interface View<S extends Schema> {
  get(id: string): Promise<Out<S> | undefined>;
  /**
   * Reads many rows at once: those that exist, by id, in the order in which they are asked for. One statement for
   * each thousand that this unit of work does not know yet; an id that is given twice is read once. A `put`
   * afterwards holds as after `get`.
   *
   * @example
   * ```ts
   * const totals = await ctx.view(Totals).getMany(events.map(({ customer }) => customer));
   * const total = totals.get(customer)?.total ?? 0;
   * ```
   */
  getMany(ids: readonly string[]): Promise<ReadonlyMap<string, Out<S>>>;
  /** In order of id, those after `after`, at most `limit`. @default limit 100 */
  list(options?: { limit?: number; after?: string }): Promise<Out<S>[]>;
  /**
   * Writes a row with the commit. After a `get` or `list` of that row in the same unit of work the write
   * holds only if nobody else has written it since (`ExpectedVersionError`, which a handler is retried for).
   */
  put(row: In<S>): Promise<void>;
  delete(id: string): Promise<void>;
}

/** A piece of SQL to put into another statement. */
export interface SqlFragment {
  readonly fragment: true;
}

/**
 * A statement; it runs when it is awaited, and only once. One that would change something and is neither
 * awaited nor put into another one fails the unit of work with `IncorrectUsageError`.
 */
export interface SqlQuery<R> extends SqlFragment, PromiseLike<R[]> {}

/**
 * Builds statements: values become parameters, fragments are put in place, `sql("schema.table")` is a quoted
 * identifier. Dates travel as ISO 8601 text, objects and arrays as JSON text.
 */
export interface Sql {
  <R extends Row = Row>(text: TemplateStringsArray, ...values: readonly unknown[]): SqlQuery<R>;
  (name: string): SqlFragment;
}

/**
 * JSON values in the cache called `default`. Writes wait for the commit; a cache is outside the transaction
 * all the same.
 */
export interface ContextCache {
  get<T = unknown>(key: string): Promise<T | undefined>;
  /** `ttlMs` defaults to the cache's own `TTL`. */
  set(key: string, value: unknown, options?: { ttlMs?: number }): Promise<void>;
  delete(key: string): Promise<void>;
}

/**
 * What a handler works with. Everything read and written through it is one unit of work.
 *
 * @example
 * ```ts
 * on(OrderPlaced, async ({ orderId, amount }, ctx) => {
 *   const summary = await ctx.view(OrderSummary).get(orderId);
 *   await ctx.view(OrderSummary).put({ id: orderId, total: (summary?.total ?? 0) + amount });
 *   await ctx.sql`update stock set reserved = reserved + 1 where order_id = ${orderId}`;
 *   await ctx.process(BookInvoice, { orderId });
 * });
 * ```
 */
export interface Context {
  /** The message being handled. Throws `IncorrectUsageError` in `domain.unitOfWork`, where there is none. */
  readonly message: {
    readonly id: string;
    readonly type: string;
    readonly stream: string;
    readonly data: unknown;
    readonly metadata: unknown;
  };
  /**
   * Aborted when the message was lost to another process and when the drain deadline passes. A handler that
   * stops short because of it must throw (`signal.throwIfAborted()`): one that returns has handled its
   * message.
   */
  readonly signal: AbortSignal;
  /** Writes to the server's log, with the message and the handler in every line. */
  readonly log: Logger;
  /**
   * Runs a statement in the unit of work's transaction; values travel as parameters. One that changes
   * something must be awaited.
   *
   * @example
   * ```ts
   * const [row] = await ctx.sql`select amount from orders where id = ${orderId}`;
   * ```
   */
  readonly sql: Sql;
  /**
   * The cache of the domain. What is written goes out right before the commit.
   *
   * @example
   * ```ts
   * await ctx.cache.set(`order:${orderId}`, { amount }, { ttlMs: 60_000 });
   * ```
   */
  readonly cache: ContextCache;
  /**
   * Returns the aggregates of one kind, read and written in this unit of work.
   *
   * @example
   * ```ts
   * const order = await ctx.repository(Order).get(orderId);
   * order.update({ amount });
   * await ctx.repository(Order).add(order);
   * ```
   */
  repository<S extends Schema, A extends string>(aggregate: AggregateType<S, A>): Repository<S, A>;
  /**
   * Returns the rows of a projection, read and written in this unit of work.
   *
   * @example
   * ```ts
   * await ctx.view(OrderSummary).put({ id: orderId, total: amount });
   * ```
   */
  view<S extends Schema>(projection: ProjectionType<S>): View<S>;
  /**
   * Sends a command with the commit.
   *
   * @example
   * ```ts
   * await ctx.process(BookInvoice, { orderId });
   * ```
   */
  process<S extends Schema>(command: MessageType<S>, data: In<S>): Promise<void>;
  /**
   * Publishes an event with the commit; see `Domain.publish`.
   *
   * @example
   * ```ts
   * await ctx.publish(OrderFlagged, { orderId, reason: "credit" });
   * ```
   */
  publish<S extends Schema>(event: MessageType<S>, data: In<S>, options?: { id?: string }): Promise<void>;
}

/** One method of a handler, made by `on` or `onAny`. */
export interface Handling {
  readonly type: string;
  readonly handle: (payload: unknown, ctx: Context) => unknown;
}

/** What the handler of a batch works with: one unit of work for all of its messages. */
export interface BatchContext extends Omit<Context, "message"> {
  /** Those being handled, in order: `messages[i]` belongs to `events[i]`. */
  readonly messages: readonly Context["message"][];
  /**
   * Takes one of `events` (the very object) out of the batch: it fails with `error`, and is retried, dead-lettered
   * or whatever a decision (`DeadLetter`, `Discard`, `RetryAfter`) says. Nothing that was written for it is
   * committed: once the handler has returned, all that it has written is undone, and it is called again with the
   * others. Messages of the same stream that come behind it wait for it. Of several errors of one event the first
   * counts. Throws `IncorrectUsageError` for what is none of `events`, and once the handler has returned.
   *
   * @example
   * ```ts
   * for (const event of events) if (event.amount < 0) ctx.fail(event, new DeadLetter("a negative amount"));
   * ```
   */
  fail(event: object, error: unknown): void;
}

/** A method of a handler that takes many messages of its type at once, made by `onBatch`. */
export interface BatchHandling {
  readonly type: string;
  readonly size: number;
  /** Milliseconds. */
  readonly maxWaitMs: number;
  readonly handle: (payloads: readonly unknown[], ctx: BatchContext) => unknown;
}

/** A dead letter. */
export interface DeadLetterEntry {
  /** As `dlq list` has it; empty for one that is not in its queue yet, as `onDeadLetter` is given it. */
  readonly id: string;
  /** `my_domain::order:dlq`. */
  readonly dlqStream: string;
  readonly subscription: string;
  readonly handler: string | undefined;
  readonly consumerGroup: string;
  /** Id of the entry that failed, on the stream that it was read from first. */
  readonly originalId: string;
  readonly messageId: string | undefined;
  readonly type: string | undefined;
  readonly failureReason: string;
  readonly errorType: string | undefined;
  readonly errorMessage: string | undefined;
  readonly failedAt: Date | undefined;
  /** Attempts made. */
  readonly retryCount: number;
  readonly replayCount: number;
  /** The message's data; the text of what could not be read. */
  readonly payload: unknown;
}

/** What every handler may say about its subscription; the rest is `domain.toml`'s. */
export interface HandlerOptions {
  /** A built-in profile (`SubscriptionProfile`) or one of `[server.profiles]`. */
  subscriptionProfile?: string;
  subscriptionType?: "stream" | "event_store";
  /**
   * Record each handled message with its effect, so that a repeat has none. @default true for command
   * handlers
   */
  idempotent?: boolean;
  concurrency?: number;
  /**
   * Consumer group instead of `<normalized domain>.<name>`: a Python handler's import path, to share its
   * load. What this handler does not handle is then given to the Python side, else dead-lettered
   * (`docs/guides/beside-python.md`).
   */
  consumerGroup?: string;
  /**
   * Payload field whose equal values are handled one after the other, in the order in which they were
   * published, across processes. Every message of the handler's categories must have it, and all handlers of a
   * category name the same. What fails for good holds up its own value, and no other.
   */
  sequentialBy?: string;
  /** Single subscription settings, camel case. */
  subscriptionConfig?: Row;
  /**
   * Tries after the first, inside one delivery, when an error of `retryExceptions` is thrown; 0 means none.
   * @default `[server.transient_retry] max_retries` where that is enabled, else 0
   */
  retries?: number;
  /** Of the time between these tries. @default `[server.transient_retry] backoff` */
  backoff?: "exponential" | "linear" | "fixed";
  /**
   * Names of error classes, or codes, that are worth another try, also as a cause.
   * @default `[server.transient_retry] exceptions`
   */
  retryExceptions?: readonly string[];
  /**
   * Called before a message of this handler goes to the dead letters, at least once, in a unit of work of its
   * own. What it throws is logged and counted; the message goes there all the same. `ctx.message` is there
   * where the message could be read.
   */
  onDeadLetter?: (letter: DeadLetterEntry, ctx: Context) => unknown;
  /** See `ProjectorOptions`: projectors only. */
  batch?: number;
  handles: readonly (Handling | BatchHandling)[];
}

/** State of one process, as its steps see it. */
export interface ProcessManagerState<S extends Schema> {
  state: Out<S>;
  complete(): void;
}

/** One step of a process manager. */
export interface Step<P extends Schema> {
  readonly type: string;
  readonly pm?: P;
}
