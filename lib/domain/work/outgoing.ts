/**
 * Messages on their way out of a unit of work, built with their metadata.
 *
 * @module
 */
import { IncorrectUsageError, ValidationError } from "../../errors.ts";
import { checksumOf } from "../../message/checksum.ts";
import { commandMetadata, eventMetadata, newCorrelationId, newMessageId } from "../../message/metadata.ts";
import { withRawDigits } from "../../message/exact_numbers.ts";
import { commandCategory, streamOf } from "../../message/names.ts";
import type { Message, MessageMetadata, TraceContext, TraceParent } from "../../message/types.ts";
import { unstorable } from "../../message/storable.ts";
import { parseTime } from "../../message/time.ts";
import { assertStorable } from "../elements/schema.ts";
import { addressee, assertIdLength, identityText } from "../elements/identity.ts";
import type { PlacedEvent } from "../elements/aggregate_store.ts";
import { type AggregateInstance, nextInOrder } from "../elements/instance.ts";
import type { MessageAggregate, MessageDefinition } from "../elements/message_definition.ts";
import type { RuntimeFacts } from "../runtime.ts";
import type { Row } from "../types.ts";

/** Where the work that writes a message comes from. */
export interface Origin {
  /** The message that is being handled; undefined outside of handlers. */
  readonly message: Message | undefined;
  /** Null: nobody traces it, and what it writes has no traceparent (wire 9.4). */
  readonly trace: TraceContext | null;
}

/** Of work outside of handlers that nobody traces. */
export const OUTSIDE: Origin = { message: undefined, trace: null };

// What a message inherits from its origin (spec: wire 1.2, 1.9, 1.10).

/** Options of `eventMetadata` and `commandMetadata` that come from the origin. */
export interface Inherited {
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly originStream: string | null;
  readonly traceparent: TraceParent | null;
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** By an event. Outside any message it has no correlation and no cause. */
export function inheritedByEvent({ message, trace }: Origin): Inherited {
  const domain = message?.metadata.domain;
  return {
    correlationId: domain?.correlation_id ?? null,
    causationId: message?.metadata.headers.id || null,
    originStream: domain?.kind === "COMMAND" ? domain.origin_stream : null,
    traceparent: trace?.traceparent ?? null,
    extensions: inheritedExtensions(message),
  };
}

/** By a command. It begins a correlation where there is none. */
export function inheritedByCommand({ message, trace }: Origin, correlationId?: string): Inherited {
  const domain = message?.metadata.domain;
  return {
    correlationId: correlationId ?? domain?.correlation_id ?? newCorrelationId(),
    causationId: message?.metadata.headers.id || null,
    originStream: domain?.kind === "EVENT" ? message?.metadata.headers.stream || null : null,
    traceparent: trace?.traceparent ?? null,
    extensions: inheritedExtensions(message),
  };
}

/** The ambient priority: which lane and which outbox rows go first. */
export function ambientPriority({ message }: Origin): number {
  return message?.metadata.domain.priority ?? 0;
}

/** Tenant, user and the like travel on; keys that begin with `_` are about the parent alone. */
function inheritedExtensions(message: Message | undefined): Readonly<Record<string, unknown>> {
  const extensions = message?.metadata.extensions;
  if (!extensions) return {};
  return Object.fromEntries(
    Object.entries(extensions)
      .filter(([key]) => !key.startsWith("_"))
      .map(([key, value]) => [key, withRawDigits(value)]),
  );
}

/** A message that is ready to be written. */
export interface Outgoing {
  readonly data: string;
  readonly metadata: MessageMetadata;
  /** Of its outbox rows; an event's own metadata always says 0 (wire 1.10). */
  readonly priority: number;
  /** External brokers get it too. */
  readonly published: boolean;
  /** Position that its stream must end at in the event store; undefined: wherever it ends. */
  readonly expectedVersion: number | undefined;
  /** Place among everything the unit of work sends. */
  readonly order: number;
}

/** Options of `commandMessage`. */
export interface CommandSettings {
  readonly asynchronous: boolean;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly timeoutMs?: number;
  readonly idempotencyKey?: string;
}

/** Whether events are handled by subscriptions alone. */
function isAsynchronous({ config }: RuntimeFacts): boolean {
  return config.config.event_processing === "async";
}

/** The events that were raised on `instance`, as it is saved. */
export function raisedMessages(
  facts: RuntimeFacts,
  instance: AggregateInstance,
  events: readonly PlacedEvent[],
  origin: Origin,
): Outgoing[] {
  const { category } = instance.aggregate;
  const stream = streamOf(category, instance.id);
  return events.map(({ raised: { event, data, time, order }, id, sequenceId, expectedVersion }) => ({
    data,
    metadata: eventMetadata({
      id,
      sequenceId,
      time,
      stream,
      category,
      asynchronous: isAsynchronous(facts),
      ...typeFacts(facts, event),
      checksum: checksumOf(data),
      ...inheritedByEvent(origin),
    }),
    priority: ambientPriority(origin),
    published: event.published,
    expectedVersion,
    order,
  }));
}

/**
 * An event that no aggregate raised (delivery 12). `id` names the stream; else the payload does, else it is a
 * new one.
 */
export function publishedMessage(
  facts: RuntimeFacts,
  event: MessageDefinition,
  data: unknown,
  id: string | undefined,
  origin: Origin,
): Outgoing {
  const aggregate = ownAggregate(facts, event, "published");
  if (id === "") throw new IncorrectUsageError(`The id that ${event.name} is published with is empty.`);
  const { payload, text } = event.encode(data);
  const addressed = id ?? addressee(payload, aggregate) ?? crypto.randomUUID();
  if (id !== undefined) assertText(id, `The id that ${event.name} is published with`);
  else if (unstorable(addressed)) assertStorable(payload, text, `The data of ${event.label}`);
  assertIdLength(addressed, `The id that ${event.name} is published with`);
  return {
    data: text,
    metadata: eventMetadata({
      id: newMessageId(),
      time: facts.clock.now(),
      stream: streamOf(aggregate.category, addressed),
      category: aggregate.category,
      asynchronous: isAsynchronous(facts),
      ...typeFacts(facts, event),
      checksum: checksumOf(text),
      ...inheritedByEvent(origin),
    }),
    priority: ambientPriority(origin),
    published: event.published,
    expectedVersion: undefined,
    order: nextInOrder(),
  };
}

/**
 * A command (wire 1.9, delivery 10): a fresh id, on the stream of the aggregate that its payload addresses.
 */
export function commandMessage(
  facts: RuntimeFacts,
  command: MessageDefinition,
  data: unknown,
  settings: CommandSettings,
  origin: Origin,
): Outgoing {
  const aggregate = ownAggregate(facts, command, "processed");
  const { payload, text } = command.encode(data);
  const addressed = commandAddressee(command, aggregate, payload);
  if (unstorable(addressed)) assertStorable(payload, text, `The data of ${command.label}`);
  assertText(settings.idempotencyKey, `The idempotency key of ${command.name}`);
  assertText(settings.correlationId, `The correlation id of ${command.name}`);
  const now = facts.clock.now();
  const priority = settings.priority ?? ambientPriority(origin);
  assertIdLength(addressed, `The ${aggregate.name} that ${command.name} is for`, command.identity);
  return {
    data: text,
    metadata: commandMetadata({
      id: newMessageId(),
      time: now,
      stream: streamOf(commandCategory(aggregate.category), addressed),
      ...typeFacts(facts, command),
      asynchronous: settings.asynchronous,
      priority,
      idempotencyKey: settings.idempotencyKey ?? null,
      deadline: deadlineOf(facts, settings.timeoutMs, now, origin),
      checksum: checksumOf(text),
      ...inheritedByCommand(origin, settings.correlationId),
    }),
    priority,
    published: false,
    expectedVersion: undefined,
    order: nextInOrder(),
  };
}

/** Throws `IncorrectUsageError` where `text` is one that no database can hold. */
function assertText(text: string | undefined, what: string): void {
  const reason = text === undefined ? undefined : unstorable(text);
  if (reason !== undefined) throw new IncorrectUsageError(`${what} ${reason}.`);
}

function typeFacts(facts: RuntimeFacts, { typeString, name, version }: MessageDefinition) {
  return { type: typeString, version, fqn: `${facts.normalizedName}.${name}` };
}

function ownAggregate(facts: RuntimeFacts, message: MessageDefinition, verb: string): MessageAggregate {
  if (message.aggregate?.domain === facts.identity) return message.aggregate;
  throw new IncorrectUsageError(
    `${message.typeString} belongs to another domain and cannot be ${verb} here: declare a message of '${facts.name}'.`,
  );
}

function commandAddressee(
  command: MessageDefinition,
  aggregate: MessageAggregate,
  payload: Readonly<Row>,
): string {
  // Never the same as headers.id: who writes both alike, as Python does, is told apart by broker ids
  // (delivery 10).
  if (command.identity === undefined) return addressee(payload, aggregate) ?? crypto.randomUUID();
  const id = identityText(payload[command.identity]);
  if (id !== undefined) return id;
  const message = "must be a text that is not empty, or a number";
  throw new ValidationError(
    `The data of ${command.label} names no ${aggregate.name}: ${command.identity}: ${message}.`,
    [{ path: command.identity, message }],
  );
}

function deadlineOf(
  { config }: RuntimeFacts,
  timeoutMs: number | undefined,
  now: number,
  { message }: Origin,
): number | null {
  if (timeoutMs !== undefined) return now + timeoutMs;
  const inherited = parseTime(message?.metadata.headers.deadline ?? null);
  if (inherited !== undefined) return inherited;
  const seconds = config.config.command_default_timeout;
  return seconds === undefined ? null : now + seconds * 1000;
}
