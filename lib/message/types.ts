/**
 * The message as it travels (spec: wire 1). Keys are snake case because they are the wire's own.
 *
 * @module
 */

export interface TraceParent {
  readonly trace_id: string;
  readonly parent_id: string;
  readonly sampled: boolean;
}

/**
 * The trace that work belongs to (W3C Trace Context). Messages carry the parent alone: the wire has no key
 * for the state.
 */
export interface TraceContext {
  readonly traceparent: TraceParent;
  /** As it was received. */
  readonly tracestate: string | null;
}

export interface MessageHeaders {
  /**
   * Never empty on messages of ours. Empty where another writer gave none: then only the broker's id tells
   * messages apart.
   */
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly time: string | null;
  readonly type: string;
  /** Full stream name, `<category>-<id>`. Empty where another writer gave none. */
  readonly stream: string;
  readonly traceparent: TraceParent | null;
  readonly idempotency_key: string | null;
  /** ISO 8601, UTC; commands only. */
  readonly deadline: string | null;
}

export interface MessageEnvelope {
  readonly specversion: "1.0";
  /** 64 lower-case hexadecimal digits, or null where nothing is to be verified. */
  readonly checksum: string | null;
}

/** `BROKER_MESSAGE`: what a subscriber reads; never on a message of ours. */
export type MessageKind = "EVENT" | "COMMAND" | "BROKER_MESSAGE";

export interface DomainMetadata {
  readonly fqn: string | null;
  readonly kind: MessageKind;
  readonly origin_stream: string | null;
  /** Null on commands. */
  readonly stream_category: string | null;
  readonly version: number;
  readonly sequence_id: string | null;
  readonly asynchronous: boolean;
  readonly expected_version: number | null;
  readonly priority: number;
  readonly correlation_id: string | null;
  readonly causation_id: string | null;
}

export interface EventStorePosition {
  readonly global_position: number | null;
  readonly position: number | null;
}

export interface MessageMetadata {
  readonly headers: MessageHeaders;
  readonly envelope: MessageEnvelope;
  readonly domain: DomainMetadata;
  readonly event_store: EventStorePosition | null;
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** A message read from the wire: payload and metadata, verified. */
export interface Message {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: MessageMetadata;
}
