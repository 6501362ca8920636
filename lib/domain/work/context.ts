/**
 * What a handler works with. Lazy throughout: a handler that touches nothing costs this object and no
 * session.
 *
 * @module
 */
import { getLogger, type Logger } from "@logtape/logtape";
import { IncorrectUsageError } from "../../errors.ts";
import type { Message } from "../../message/types.ts";
import { aggregateOf } from "../elements/aggregate.ts";
import type { DomainIdentity } from "../elements/identity.ts";
import { messageFacts } from "./message_facts.ts";
import { messageOf } from "../elements/message_definition.ts";
import { commandMessage, publishedMessage } from "./outgoing.ts";
import { projectionOf } from "../elements/projection.ts";
import { WorkRepository } from "./repository.ts";
import type { Guard } from "./sessions.ts";
import { sqlTag } from "./sql.ts";
import type {
  AggregateType,
  Context,
  ContextCache,
  In,
  MessageType,
  ProjectionType,
  Repository,
  Schema,
  Sql,
  View,
} from "../types.ts";
import { parseExact } from "../../message/exact_numbers.ts";
import type { Work } from "./work.ts";
import { viewOf } from "./view.ts";
import { unstorable } from "../../message/storable.ts";
import { jsonText } from "../elements/schema.ts";

// `ctx.cache`: JSON values in the cache called `default`.

const DEFAULT = "default";

export class ContextCacheWrites implements ContextCache {
  readonly #work: Work;

  constructor(work: Work) {
    this.#work = work;
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    const text = await this.#work.cache((cache) => cache.get(DEFAULT, key));
    return text === undefined ? undefined : parseExact(text) as T;
  }

  async set(key: string, value: unknown, options: { ttlMs?: number } = {}): Promise<void> {
    const reason = unstorable(key);
    if (reason !== undefined) throw new IncorrectUsageError(`A key of the cache ${reason}.`);
    const text = jsonText(value, `The cached value '${key.slice(0, 100)}'`);
    await this.#work.cache((cache) => cache.write(DEFAULT, key, text, options.ttlMs));
  }

  async delete(key: string): Promise<void> {
    await this.#work.cache((cache) => cache.write(DEFAULT, key, undefined));
  }
}

export class WorkContext implements Context {
  readonly #work: Work;
  readonly #guard: Guard;
  /** Who works: the handler's name. */
  readonly #name: string;
  /** As it is shown, if not as the unit of work has it. */
  readonly #message: Message | undefined;
  #log: Logger | undefined;
  #sql: Sql | undefined;
  #cache: ContextCache | undefined;

  constructor(work: Work, guard: Guard, name: string, message?: Message) {
    this.#message = message;
    this.#work = work;
    this.#guard = guard;
    this.#name = name;
  }

  get message(): Context["message"] {
    const message = this.#message ?? this.#work.origin.message;
    if (!message) {
      throw new IncorrectUsageError(
        "No message is being handled: domain.unitOfWork works outside of handlers.",
      );
    }
    return shownMessage(message);
  }

  get signal(): AbortSignal {
    return this.#guard.signal;
  }

  get log(): Logger {
    return this.#log ??= getLogger(["protean", "handler", this.#name]).with({
      handler: this.#name,
      ...messageFacts(this.#work.origin),
    });
  }

  get sql(): Sql {
    return this.#sql ??= sqlTag(
      (statement) => this.#work.query(statement),
      this.#work.statements,
    );
  }

  get cache(): ContextCache {
    return this.#cache ??= new ContextCacheWrites(this.#work);
  }

  repository<S extends Schema, A extends string>(aggregate: AggregateType<S, A>): Repository<S, A> {
    const definition = aggregateOf(aggregate);
    this.#assertOwn(definition);
    return new WorkRepository(this.#work, definition);
  }

  view<S extends Schema>(projection: ProjectionType<S>): View<S> {
    const definition = projectionOf(projection);
    this.#assertOwn(definition);
    return viewOf(this.#work, definition);
  }

  async process<S extends Schema>(command: MessageType<S>, data: In<S>): Promise<void> {
    const definition = messageOf(command, "command");
    const settings = { asynchronous: true };
    await this.#work.send(commandMessage(this.#work.runtime, definition, data, settings, this.#work.origin));
  }

  async publish<S extends Schema>(
    event: MessageType<S>,
    data: In<S>,
    options: { id?: string } = {},
  ): Promise<void> {
    const definition = messageOf(event, "event");
    await this.#work.send(
      publishedMessage(this.#work.runtime, definition, data, options.id, this.#work.origin),
    );
  }

  #assertOwn({ domain, name }: { readonly domain: DomainIdentity; readonly name: string }): void {
    if (domain === this.#work.runtime.identity) return;
    throw new IncorrectUsageError(
      `${name} is declared on another domain than the one that is working: its tables are not this domain's.`,
    );
  }
}

/** A message as handlers see it. */
export function shownMessage(message: Message): Context["message"] {
  const { id, type, stream } = message.metadata.headers;
  return {
    ...{ id, type, stream, data: message.data },
    // A copy: marks and what is written go by the metadata as it came.
    get metadata() {
      return structuredClone(message.metadata);
    },
  };
}
