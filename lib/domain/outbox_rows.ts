/**
 * What a message is written as by the transaction that sends it: outbox rows and an event-store append.
 *
 * @module
 */
import type { EventAppend, OutboxInsert } from "../adapters/ports.ts";
import type { MessageMetadata } from "../message/types.ts";
import type { Outgoing } from "./outgoing.ts";
import type { RuntimeFacts } from "./runtime.ts";
import { shardOf } from "./shard.ts";

/** One row for the outbox's broker and, for a published event, one per external broker (S53). */
export function outboxRows(facts: RuntimeFacts, message: Outgoing): OutboxInsert[] {
  const { broker, external_brokers } = facts.config.config.outbox;
  const { data, metadata, priority } = message;
  const { id, stream, type } = metadata.headers;
  const row = { messageId: id, streamName: stream, type, data, priority, shard: shardOf(stream) };
  const rows = [{ ...row, metadata, targetBroker: broker }];
  if (!message.published) return rows;
  const external = externalForm(metadata);
  return [...rows, ...external_brokers.map((name) => ({ ...row, metadata: external, targetBroker: name }))];
}

/** The copy for the event store. Its position is nobody's expectation: the aggregate's row is what versions are checked on. */
export function storeCopy({ data, metadata }: Outgoing): EventAppend {
  const { stream, type } = metadata.headers;
  return { stream, type, data, metadata, expectedVersion: undefined };
}

/**
 * What leaves the company of Protean services (wire 1.11): no checksum, no position, nothing about how it was processed. The type
 * is the internal form's because outbox rows are; readers of external brokers find keys missing, as upstream has them.
 */
function externalForm({ headers, envelope, domain, extensions }: MessageMetadata): MessageMetadata {
  const { expected_version: _e, asynchronous: _a, priority: _p, ...shared } = domain;
  return {
    headers,
    domain: shared,
    envelope: { specversion: envelope.specversion },
    ...Object.keys(extensions).length > 0 ? { extensions } : {},
  } as unknown as MessageMetadata;
}
