/**
 * Options of the elements that a domain declares (spec: api.d.ts).
 *
 * @module
 */
import type {
  AggregateType,
  Context,
  HandlerOptions,
  MessageType,
  Out,
  ProcessManagerState,
  ProjectionType,
  Row,
  Schema,
  Step,
} from "./types.ts";

export interface AggregateOptions<S extends Schema> {
  schema: S;
  /** Field that identifies an instance. @default "id" */
  identity?: string;
  eventSourced?: boolean;
  /** Second part of the stream category, `<domain>::<streamCategory>`. @default the name in snake case */
  streamCategory?: string;
}

export interface EventOptions<S extends Schema, A extends string, T extends Schema> {
  partOf: AggregateType<T, A>;
  schema: S;
  /** @default 1 */
  version?: number;
  /** Published to `outbox.external_brokers` as well. */
  published?: boolean;
  /** By version: makes the payload of that version one of the next. */
  upcasters?: Record<number, (data: Row) => Row>;
  /** For event-sourced aggregates. */
  apply?: (state: Readonly<Out<T>>, event: Readonly<Out<S>>) => Out<T>;
}

export interface ExternalEventOptions<S extends Schema> {
  schema: S;
}

export interface CommandOptions<S extends Schema, A extends string, T extends Schema> {
  partOf: AggregateType<T, A>;
  schema: S;
  /** Field whose value names the aggregate that is addressed. */
  identity?: string;
}

export interface ProjectionOptions<S extends Schema> {
  schema: S;
  /** Field that identifies a row. @default "id" */
  identity?: string;
  /** Name of the database that holds it. @default "default" */
  provider?: string;
  /** Name of the cache that holds it instead of a database. */
  cache?: string;
}

export type CommandHandlerOptions = HandlerOptions & { partOf: AggregateType };

export type EventHandlerOptions =
  & HandlerOptions
  & ({ partOf: AggregateType } | { streamCategory: string });

export type ProjectorOptions = HandlerOptions & {
  projection: ProjectionType;
  /** @default the categories of the aggregates whose events it handles */
  streamCategories?: readonly string[];
  /**
   * So many messages at most, 1 to 10,000, are handled in one unit of work and acknowledged together. Each has its
   * `on` called as ever, with a context of its own; those of different streams at the same time, and rows that
   * they `get` in one turn are read by one statement. What they do has the effect that it has in order: two that
   * want the same row work one after the other. @default 1
   */
  batch?: number;
};

/**
 * A subscriber says of its subscription what every handler says; `idempotent` tells repetitions apart by the
 * broker's id of the entry.
 */
export interface SubscriberOptions extends
  Pick<
    HandlerOptions,
    "idempotent" | "concurrency" | "consumerGroup" | "subscriptionConfig" | "onDeadLetter"
  > {
  /** Name of one of `[brokers]`. @default "default" */
  broker?: string;
  /** Name of the stream, as its owner calls it. */
  stream: string;
  /** Called with the JSON object of an entry's field `data`, as it is: nothing of it has been validated. */
  handle: (payload: Row, ctx: Context) => unknown;
}

/** Options of one step of a process manager. */
export interface StepOptions<P extends Schema, S extends Schema> {
  correlate: (event: Readonly<Out<S>>) => string;
  start?: boolean;
  end?: boolean;
  handle: (pm: ProcessManagerState<P>, event: Readonly<Out<S>>, ctx: Context) => unknown;
}

export interface ProcessManagerOptions<P extends Schema> {
  state: P;
  streamCategories: readonly string[];
  steps: (
    step: <S extends Schema>(message: MessageType<S>, options: StepOptions<P, S>) => Step<P>,
  ) => readonly Step<P>[];
}

export interface ProcessOptions {
  /** A second command of this type with the same key has no effect. */
  idempotencyKey?: string;
  /** False runs the handler here and returns its value. @default `command_processing` is "async" */
  asynchronous?: boolean;
  /** @default 0, or that of the message in context */
  priority?: number;
  correlationId?: string;
  /** The command is not run any more after this many milliseconds. @default `command_default_timeout` */
  timeoutMs?: number;
}

export interface PublishOptions {
  /** Id part of the stream the event is published on. */
  id?: string;
}

export interface InitOptions {
  /** Path of a domain.toml, or its content as an object. */
  config?: string | Row;
  /** Name of the overlay. @default `PROTEAN_ENV` */
  env?: string;
  signal?: AbortSignal;
}
