/**
 * The commit of a unit of work, step by step (delivery 13 to 15).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  type EventAppend,
  isEmptyWriteSet,
  orderOf,
  type OutboxInsert,
  type RowWrite,
  shardOf,
  type WriteSet,
} from "../../adapters/ports.ts";
import type { Outgoing } from "./outgoing.ts";
import type { RuntimeFacts, WorkRuntime } from "../runtime.ts";
import type { Sessions } from "./sessions.ts";
import { compareCodePoints } from "../../message/json_format.ts";
import { encodeRaw } from "../../message/envelope.ts";
import { assertSize } from "../elements/message_definition.ts";
import { partitionKey } from "../elements/partitioning.ts";
import { categoryOf } from "../../message/names.ts";
import type { MessageMetadata } from "../../message/types.ts";

/** What `encodeRaw` adds. */
const ENVELOPE_BYTES = encodeRaw("", "").length;

// What a message is written as by the transaction that sends it: outbox rows and an event-store append.

/**
 * One row for the outbox's broker and, for a published event, one per external broker (S53). Throws
 * `ValidationError` for a message that is too large with its metadata.
 */
export function outboxRows(facts: RuntimeFacts, message: Outgoing): OutboxInsert[] {
  const { broker, external_brokers } = facts.config.config.outbox;
  const { data, metadata, priority } = message;
  const { id, stream, type } = metadata.headers;
  const { correlation_id: correlationId, causation_id: causationId } = metadata.domain;
  const row = {
    ...{ messageId: id, streamName: stream, type, data, correlationId, causationId, priority },
    shard: shardOf(stream),
  };
  const key = keyOf(facts, message);
  const text = JSON.stringify(metadata);
  const { max_message_bytes: most } = facts.config.config.server;
  // In UTF-8 each UTF-16 unit takes one to three bytes: counting them is seldom needed.
  if (data.length + 3 * text.length > most - ENVELOPE_BYTES) {
    const bytes = data.length + Buffer.byteLength(text) + ENVELOPE_BYTES;
    assertSize(`The message ${type} '${id}'`, bytes, most);
  }
  const own = { ...row, metadata: text, targetBroker: broker };
  const rows = [
    key === undefined ? own : { ...own, partitionKey: key, shard: shardOf(orderOf(stream, key)) },
  ];
  if (!message.published) return rows;
  const external = JSON.stringify(externalForm(metadata));
  return [...rows, ...external_brokers.map((name) => ({ ...row, metadata: external, targetBroker: name }))];
}

/** The partition of a message (wire 2.11); undefined where its category is not parted. */
function keyOf({ partitionFields, config }: RuntimeFacts, { data, metadata }: Outgoing): string | undefined {
  if (partitionFields.size === 0) return undefined;
  const { stream, type } = metadata.headers;
  const field = partitionFields.get(categoryOf(stream));
  const { backfill_suffix: suffix } = config.config.server.priority_lanes;
  return field === undefined ? undefined : partitionKey(field, type, data, suffix);
}

/** The copy for the event store. */
export function storeCopy({ data, metadata, expectedVersion }: Outgoing): EventAppend {
  const { stream, type } = metadata.headers;
  return { stream, type, data, metadata, expectedVersion };
}

/**
 * What leaves the company of Protean services (wire 1.11): no checksum, no position, nothing about how it was
 * processed.
 */
function externalForm({ headers, envelope, domain, extensions }: MessageMetadata): Record<string, unknown> {
  const { expected_version: _e, asynchronous: _a, priority: _p, ...shared } = domain;
  return {
    headers,
    domain: shared,
    envelope: { specversion: envelope.specversion },
    ...Object.keys(extensions).length > 0 ? { extensions } : {},
  };
}

/** The database of aggregates, outbox rows and marks. */
export const MAIN = "default";

/** Everything that a unit of work has buffered. */
export interface Buffered {
  /** By provider; the keys are those that have something to write. */
  readonly rows: ReadonlyMap<string, readonly RowWrite[]>;
  /** Sent and kept, in order. */
  readonly messages: readonly Outgoing[];
  /** Kept in the event store only, before the others. */
  readonly recorded: readonly Outgoing[];
  /** Writes the cache, for as long as `assertMayCommit` does not throw. */
  readonly flushCache: (assertMayCommit: () => void) => Promise<void>;
}

/**
 * Commits on every provider touched; returns the event-store positions of `recorded`, then `messages`.
 *
 * The usual case is one call: everything is in the main database, and so is the event store. Otherwise all
 * rows are flushed first, so that what can fail fails before anything is final elsewhere; then the caches,
 * the other databases and the event store are written, and the main database, with the outbox and the mark,
 * commits last. A process that dies in between repeats the message.
 */
export async function commitAll(
  runtime: WorkRuntime,
  sessions: Sessions,
  { rows, messages, recorded, flushCache }: Buffered,
): Promise<readonly number[]> {
  const { eventStore, appendsInside } = runtime;
  const events = eventStore ? [...recorded, ...messages].map(storeCopy) : [];
  let writes: WriteSet = {
    rows: rows.get(MAIN) ?? [],
    outbox: messages.flatMap((message) => outboxRows(runtime, message)),
    events: appendsInside ? events : [],
  };
  const outside: readonly EventAppend[] = appendsInside ? [] : events;
  const touched = new Set([...sessions.names, ...rows.keys()]);
  if (!isEmptyWriteSet(writes)) touched.add(MAIN);
  const others = [...touched].filter((name) => name !== MAIN);

  if (others.length > 0 || outside.length > 0) {
    for (const name of others) await flush(sessions, name, { ...NOTHING, rows: rows.get(name) ?? [] });
    await flush(sessions, MAIN, writes);
    writes = NOTHING;
  }
  sessions.assertMayCommit();
  await flushCache(() => sessions.assertMayCommit());
  for (const name of others) await sessions.commit(name, NOTHING);
  const appended = eventStore && outside.length > 0
    ? await sessions.beside(
      { kind: "event_store", name: eventStore.name },
      (signal) => eventStore.append(outside, { signal }),
    )
    : undefined;
  const committed = touched.has(MAIN) ? await sessions.commit(MAIN, writes) : undefined;
  return appended ?? committed ?? [];
}

/** A write set without writes. */
export const NOTHING: WriteSet = { rows: [], outbox: [], events: [] };

async function flush(sessions: Sessions, provider: string, writes: WriteSet): Promise<void> {
  if (!isEmptyWriteSet(writes)) await sessions.run(provider, (session) => session.flush(writes));
}

/** Rows in the order in which they are locked everywhere, as the port has it. */
export function inLockOrder(rows: readonly RowWrite[]): readonly RowWrite[] {
  if (rows.length < 2) return rows;
  return rows.toSorted((a, b) => compareCodePoints(a.table, b.table) || compareCodePoints(a.id, b.id));
}
