/**
 * Aggregate instances: state that is always valid, and the events raised on it.
 *
 * @module
 */
import { ConfigurationError, IncorrectUsageError, ValidationError } from "../../errors.ts";
import { canonicalJson } from "../../message/canonical.ts";
import { parseExact } from "../../message/exact_numbers.ts";
import { isJsonObject } from "../../message/parse.ts";
import { assertIdLength, identityText } from "./identity.ts";
import { type MessageAggregate, type MessageDefinition, messageOf } from "./message_definition.ts";
import { encodeStored, jsonText, validate } from "./schema.ts";
import type { In, Instance, MessageType, Out, Row, Schema } from "../types.ts";

// The order in which user code raised, published and sent, across all aggregates of a unit of work: outbox
// rows are written in it.

let last = 0;

/** A number above all before it. */
export function nextInOrder(): number {
  return ++last;
}

/** The aggregate of an instance, as far as the instance cares. */
export interface InstanceAggregate<S extends Schema = Schema, A extends string = string>
  extends MessageAggregate {
  readonly name: A;
  readonly schema: S;
}

/** An event on its way from `raise` to the commit. */
export interface RaisedEvent {
  readonly event: MessageDefinition;
  /** Canonical payload. */
  readonly data: string;
  /** Epoch milliseconds of the `raise`. */
  readonly time: number;
  /** Place among everything that is sent. */
  readonly order: number;
}

/** What a committed unit of work has saved of an instance. */
export interface Saved {
  readonly version: number;
  readonly revision: number;
  /** How many of the raised events were published with it. */
  readonly events: number;
}

export class AggregateInstance<S extends Schema = Schema, A extends string = string>
  implements Instance<S, A> {
  readonly aggregate: InstanceAggregate<S, A>;
  readonly id: string;
  #state: Readonly<Out<S>>;
  #text: string | undefined;
  #version: number;
  #revision: number;
  #savedRevision = 0;
  #raised: RaisedEvent[] = [];

  private constructor(
    aggregate: InstanceAggregate<S, A>,
    { value, text }: { readonly value: Out<S>; readonly text?: string },
    version: number,
    revision: number,
  ) {
    this.aggregate = aggregate;
    this.id = idOf(aggregate, value);
    // One that is stored was short enough for its database.
    if (version < 0) {
      assertIdLength(this.id, `The ${aggregate.identity} of aggregate ${aggregate.name}`, aggregate.identity);
    }
    this.#state = frozen(value);
    this.#text = text;
    this.#version = version;
    this.#revision = revision;
  }

  /** A new instance, version -1. */
  static create<S extends Schema, A extends string>(
    aggregate: InstanceAggregate<S, A>,
    state: In<S>,
  ): AggregateInstance<S, A> {
    const encoded = encodeStored(aggregate.schema, state, `The state of aggregate ${aggregate.name}`);
    return new AggregateInstance(aggregate, encoded, -1, 1);
  }

  /**
   * The instance that a stored row holds. Throws `ValidationError` when the schema refuses what is stored.
   */
  static restore<S extends Schema, A extends string>(
    aggregate: InstanceAggregate<S, A>,
    row: { readonly id: string; readonly version: number; readonly state: string },
  ): AggregateInstance<S, A> {
    const what = `The stored state of ${aggregate.name} '${row.id}'`;
    const value = validate(aggregate.schema, parseExact(row.state), what);
    return new AggregateInstance(aggregate, { value }, row.version, 0);
  }

  get version(): number {
    return this.#version;
  }

  get state(): Readonly<Out<S>> {
    return this.#state;
  }

  /** The state as canonical JSON. */
  get text(): string {
    return this.#text ??= canonicalJson(this.#state);
  }

  /** Grows with every change; a unit of work compares it with what it has written. */
  get revision(): number {
    return this.#revision;
  }

  /** The revision that the stored row holds. */
  get savedRevision(): number {
    return this.#savedRevision;
  }

  /** Events raised and not yet published, oldest first. */
  get raised(): readonly RaisedEvent[] {
    return this.#raised;
  }

  update(change: Partial<Out<S>> | ((state: Readonly<Out<S>>) => Out<S>)): void {
    const what = `The state of ${this.aggregate.name} '${this.id}'`;
    const next = typeof change === "function"
      ? change(this.#state)
      : { ...this.#state as Row, ...change as Row };
    // Only its own JSON is what a schema is bound to accept (delivery 17): its output may hold dates made
    // from text.
    const { value, text } = encodeStored(this.aggregate.schema, parseExact(jsonText(next, what)), what);
    if (idOf(this.aggregate, value) !== this.id) {
      throw new IncorrectUsageError(
        `${this.aggregate.name} '${this.id}' cannot change its identity '${this.aggregate.identity}': create another one.`,
      );
    }
    this.#state = frozen(value);
    this.#text = text;
    this.#revision++;
  }

  raise<E extends Schema>(event: MessageType<E, A>, data: In<E>): void {
    const definition = messageOf(event, "event");
    if (definition.aggregate !== this.aggregate) {
      throw new ConfigurationError(
        `${this.aggregate.name} cannot raise ${definition.name}, which is part of ${definition.partOf}: raise an event ` +
          `declared with partOf: ${this.aggregate.name}.`,
        { code: "CONFIG_FOREIGN_EVENT" },
      );
    }
    const { text } = definition.encode(data);
    const time = this.aggregate.domain.now();
    this.#raised.push({ event: definition, data: text, time, order: nextInOrder() });
    this.#revision++;
  }

  /** A unit of work has committed what it wrote; what changed since then is still to be saved. */
  settle(saved: Saved): void {
    this.#version = saved.version;
    this.#savedRevision = saved.revision;
    this.#raised = this.#raised.slice(saved.events);
  }
}

function idOf(aggregate: InstanceAggregate, state: unknown): string {
  const { name, identity } = aggregate;
  const id = isJsonObject(state) && Object.hasOwn(state, identity)
    ? identityText(state[identity])
    : undefined;
  if (id !== undefined) return id;
  const message = "must be a text that is not empty, or a number";
  throw new ValidationError(`The state of aggregate ${name} has no identity: ${identity}: ${message}.`, [{
    path: identity,
    message,
  }]);
}

/** State is shared with whoever reads it, so nobody may change it behind the schema's back. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const prototype = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value;
  for (const item of Object.values(value)) frozen(item);
  return Object.freeze(value);
}
