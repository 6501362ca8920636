/**
 * Builders for the metadata of messages we write: every key present, absent values null (spec: wire 1.1,
 * 1.2). Python refuses a message with any key beyond these.
 *
 * @module
 */
import { timeText } from "./time.ts";
import type { MessageKind, MessageMetadata, TraceParent } from "./types.ts";

export { timeText };

/** Epoch milliseconds, or text that is already in the wire's form. */
export type WireTime = number | string;

/** What an event and a command have in common. Absent means null, but for the defaults told. */
export interface MetadataOptions {
  /** `headers.id`; see `eventId` and `newMessageId`. */
  readonly id: string;
  readonly time: WireTime | null;
  /** Type string, such as `MyDomain.OrderPlaced.v1`. */
  readonly type: string;
  /** Full stream name, such as `my_domain::order-42`. */
  readonly stream: string;
  /** Informational; Python puts the import path of the class here. */
  readonly fqn?: string | null;
  /** @default {1} */
  readonly version?: number;
  /** @default {true} */
  readonly asynchronous?: boolean;
  /** @default {0} */
  readonly priority?: number;
  readonly correlationId?: string | null;
  /** `headers.id` of the message that caused this one. */
  readonly causationId?: string | null;
  readonly originStream?: string | null;
  readonly traceparent?: TraceParent | null;
  /** `checksumOf` the canonical payload; null leaves the message unverified. */
  readonly checksum: string | null;
  /** @default {{}} */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Options of `eventMetadata`. */
export interface EventMetadataOptions extends MetadataOptions {
  /** Stream category, such as `my_domain::order`. */
  readonly category: string;
  /** See `sequenceId`; null for published events that no aggregate raised. */
  readonly sequenceId?: string | null;
}

/** Options of `commandMetadata`. */
export interface CommandMetadataOptions extends MetadataOptions {
  readonly idempotencyKey?: string | null;
  /** When the command must no longer be run. */
  readonly deadline?: WireTime | null;
}

/** Metadata of an event. */
export function eventMetadata(options: EventMetadataOptions): MessageMetadata {
  return build("EVENT", options, options.category, options.sequenceId ?? null, null, null);
}

/** Metadata of a command; `stream_category` and `sequence_id` are null (wire 1.9). */
export function commandMetadata(options: CommandMetadataOptions): MessageMetadata {
  return build(
    "COMMAND",
    options,
    null,
    null,
    options.idempotencyKey ?? null,
    options.deadline ?? null,
  );
}

function build(
  kind: MessageKind,
  options: MetadataOptions,
  category: string | null,
  sequence: string | null,
  idempotencyKey: string | null,
  deadline: WireTime | null,
): MessageMetadata {
  return {
    headers: {
      id: options.id,
      time: wireTime(options.time),
      type: options.type,
      stream: options.stream,
      traceparent: options.traceparent ?? null,
      idempotency_key: idempotencyKey,
      deadline: wireTime(deadline),
    },
    envelope: { specversion: "1.0", checksum: options.checksum },
    domain: {
      fqn: options.fqn ?? null,
      kind,
      origin_stream: options.originStream ?? null,
      stream_category: category,
      version: options.version ?? 1,
      sequence_id: sequence,
      asynchronous: options.asynchronous ?? true,
      expected_version: null,
      priority: options.priority ?? 0,
      correlation_id: options.correlationId ?? null,
      causation_id: options.causationId ?? null,
    },
    event_store: null,
    extensions: options.extensions ?? {},
  };
}

function wireTime(time: WireTime | null): string | null {
  return typeof time === "number" ? timeText(time) : time;
}

/**
 * `<V>.<n>`: `version` is the aggregate's version after this save (the first save is 0), `n` counts the
 * events of the save from 1. Event-sourced aggregates leave `n` out: `<V>` is the event's position in its
 * stream (wire 1.5).
 */
export function sequenceId(version: number, n?: number): string {
  return n === undefined ? String(version) : `${version}.${n}`;
}

/** `headers.id` of an event that an aggregate raised: `<stream>-<sequence id>`. */
export function eventId(stream: string, version: number, n?: number): string {
  return `${stream}-${sequenceId(version, n)}`;
}

/** `headers.id` of commands and of published events (delivery 10, 12). */
export function newMessageId(): string {
  return crypto.randomUUID();
}

/** A new correlation id: 32 hexadecimal digits without dashes (wire 1.9). */
export function newCorrelationId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
