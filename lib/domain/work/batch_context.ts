/**
 * What the handler of a batch works with.
 *
 * @module
 */
import { getLogger, type Logger } from "@logtape/logtape";
import { sessionEnded } from "../../adapters/ports.ts";
import { asError, IncorrectUsageError } from "../../errors.ts";
import type { Message } from "../../message/types.ts";
import type { BatchContext, Context } from "../types.ts";
import { shownMessage, WorkContext } from "./context.ts";
import type { Origin } from "./outgoing.ts";
import type { Guard } from "./sessions.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

export class BatchWorkContext implements BatchContext {
  readonly messages: readonly Context["message"][];
  readonly #unit: UnitOfWork;
  readonly #name: string;
  readonly #events: readonly unknown[];
  readonly #inner: WorkContext;
  readonly #failures = new Map<number, Error>();
  #blamed = false;
  #over = false;

  /** `events[i]` belongs to `messages[i]`. */
  constructor(
    unit: UnitOfWork,
    guard: Guard,
    name: string,
    messages: readonly Message[],
    events: readonly unknown[],
  ) {
    this.#unit = unit;
    this.#name = name;
    this.#events = events;
    this.#inner = new WorkContext(unit, guard, name);
    this.messages = messages.map(shownMessage);
  }

  /** By place: those that the handler has taken out, and why. */
  get failures(): ReadonlyMap<number, Error> {
    return this.#failures;
  }

  /** The handler has returned. */
  end(): void {
    this.#over = true;
  }

  fail(event: object, error: unknown): void {
    if (this.#over) throw sessionEnded();
    const place = this.#events.findIndex((each, index) => each === event && !this.#failures.has(index));
    if (place < 0) {
      if (this.#events.includes(event)) return;
      throw new IncorrectUsageError(
        "ctx.fail takes one of the events that the handler was given, the very object: this is none of them.",
      );
    }
    // After a call to a database has failed every further one fails for that: no fault of theirs.
    const { failure } = this.#unit;
    if (failure && this.#blamed && comesOf(error, failure)) return;
    this.#blamed = failure !== undefined;
    this.#failures.set(place, asError(error));
  }

  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  get log(): Logger {
    const count = this.messages.length;
    return count === 1
      ? this.#inner.log
      : getLogger(["protean", "handler", this.#name]).with({ messages: count });
  }

  get sql(): Context["sql"] {
    return this.#inner.sql;
  }

  get cache(): Context["cache"] {
    return this.#inner.cache;
  }

  readonly repository: Context["repository"] = (aggregate) => this.#inner.repository(aggregate);
  readonly view: Context["view"] = (projection) => this.#inner.view(projection);
  readonly process: Context["process"] = (command, data) => this.#inner.process(command, data);
  readonly publish: Context["publish"] = (event, data, options) => this.#inner.publish(event, data, options);
}

/** User code may wrap an error, and a chain of causes may end in itself. */
const DEEPEST_CAUSE = 8;

function comesOf(thrown: unknown, failure: Error): boolean {
  let error = thrown;
  for (let depth = 0; error instanceof Error && depth < DEEPEST_CAUSE; depth++) {
    if (error === failure) return true;
    error = error.cause;
  }
  return false;
}

/**
 * What messages inherit that a batch writes: of several what all of them have in common, and no cause.
 */
export function commonOrigin(messages: readonly Message[]): Origin {
  const [first, ...rest] = messages;
  if (!first || rest.length === 0) return { message: first, trace: null };
  const { headers, domain, extensions } = first.metadata;
  const all = <T>(of: (message: Message) => T): T | undefined => {
    const own = of(first);
    return rest.every((other) => of(other) === own) ? own : undefined;
  };
  const metadata: Message["metadata"] = {
    ...first.metadata,
    headers: { ...headers, id: "", stream: "", idempotency_key: null, deadline: null, traceparent: null },
    domain: {
      ...domain,
      correlation_id: all(({ metadata }) => metadata.domain.correlation_id) ?? null,
      causation_id: null,
      origin_stream: null,
      priority: all(({ metadata }) => metadata.domain.priority) ?? 0,
    },
    extensions: Object.fromEntries(
      Object.entries(extensions).filter(([key]) =>
        all(({ metadata }) => JSON.stringify(metadata.extensions[key])) !== undefined
      ),
    ),
  };
  return { message: { ...first, metadata }, trace: null };
}
