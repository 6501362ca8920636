/**
 * How far a reader of the event store has come, as the store itself keeps it (wire 4.6): what it has read, and
 * which messages have failed and are open. For the subscription when it begins, and for its status when none
 * runs.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseEventStore, StoredEvent } from "../adapters/ports.ts";
import { checkpointStream, failedStream, positionStream } from "../message/names.ts";

const log = getLogger(["protean", "subscription"]);

/** Records read at once. */
const PAGE = 1000;
const PAGE_SIZE = 4 * 1024 * 1024;
/** So many records that say no position are passed over. */
const MOST_UNREADABLE = 100;

/** Whose progress it is: the group of a handler, and the category that it reads. */
export interface StoreReaderName {
  readonly group: string;
  readonly category: string;
}

/** Types of the records (wire 4.3). */
export const RECORD_TYPES = {
  read: "Read",
  failed: "Failed",
  resolved: "Resolved",
  exhausted: "Exhausted",
  purged: "Purged",
  checkpoint: "Checkpoint",
} as const;

/** The last position that was kept. */
export interface KeptPosition {
  /** Global position of the last message that was read; -1: none was. */
  readonly position: number;
  /** Of the last record in its stream; -1: there is none. */
  readonly version: number;
  /** When it was kept, epoch ms. */
  readonly time: number | undefined;
  /**
   * It was kept twice in a row: whoever read has begun to handle what comes next, and has died or was stopped
   * before anything came of it.
   */
  readonly isRepeated: boolean;
}

/** A message that has failed. */
export interface FailedMessage {
  /** Global position. */
  readonly position: number;
  /** Retries that have been begun: 0 after the first failure. */
  readonly retryCount: number;
  readonly type: string;
  readonly id: string;
  /** Undefined in records of Protean 0.17: the message is found by its global position. */
  readonly stream: string | undefined;
  readonly streamPosition: number | undefined;
}

export interface KeptFailures {
  /** By global position, the first first. */
  readonly unresolved: Map<number, FailedMessage>;
  /** Global positions beyond the one that was asked about which have come to an end. */
  readonly ended: Set<number>;
  /** Of the last record in the failed stream and in the checkpoint stream; -1: there is none. */
  readonly version: number;
  readonly checkpointVersion: number;
  /** Records that no checkpoint has told of yet. */
  readonly fresh: number;
}

/** Reads the last position. One that cannot be read is passed over for the one before. */
export async function keptPosition(store: BaseEventStore, name: StoreReaderName): Promise<KeptPosition> {
  const stream = positionStream(name.group, name.category);
  const last = await store.last(stream);
  if (!last) return { position: -1, version: -1, time: undefined, isRepeated: false };
  const version = last.position;
  const lowest = Math.max(0, version - MOST_UNREADABLE);
  for (let at = version; at >= lowest; at--) {
    const record = at === version ? last : await recordAt(store, stream, at);
    const position = record && positionIn(record);
    if (position === undefined) continue;
    const before = at > 0 ? await recordAt(store, stream, at - 1) : undefined;
    const isRepeated = before !== undefined && positionIn(before) === position;
    if (at < version) {
      log.warn("subscription.position_unreadable", { stream, position, records: version - at });
    }
    return { position, version, time: record?.time, isRepeated };
  }
  log.error("subscription.position_unreadable", { stream, position: -1, records: version + 1 - lowest });
  return { position: -1, version, time: undefined, isRepeated: false };
}

/**
 * Reads what has failed, from the last checkpoint on. `beyond`: a global position up to which nobody asks what
 * has ended.
 */
export async function keptFailures(
  store: BaseEventStore,
  { group, category }: StoreReaderName,
  beyond: number = Infinity,
): Promise<KeptFailures> {
  const stream = failedStream(group, category);
  const checkpoint = await store.last(checkpointStream(group, category));
  const tail = (await store.last(stream))?.position ?? -1;
  const start = checkpointIn(checkpoint);
  const isBeyond = start.watermark > tail + 1;
  if (isBeyond) {
    log.warn("subscription.checkpoint_beyond_end", { stream, watermark: start.watermark, end: tail });
  }
  const unresolved = new Map(start.unresolved.map((message) => [message.position, message]));
  const ended = new Set<number>();
  let next = isBeyond ? 0 : start.watermark;
  let fresh = 0;
  while (next <= tail) {
    const records = await store.read(stream, { from: next, limit: PAGE, maxSize: PAGE_SIZE });
    for (const record of records) fold(record, unresolved, ended, beyond);
    fresh += records.length;
    const last = records.at(-1);
    if (!last) break;
    next = last.position + 1;
  }
  const version = Math.max(tail, next - 1);
  return { unresolved, ended, version, checkpointVersion: checkpoint?.position ?? -1, fresh };
}

/** Whether it is a record of a reader about itself (wire 4.3). */
export function isRecordOf({ metadata }: StoredEvent): boolean {
  const { domain } = parsed(metadata);
  return isRecord(domain) && domain["kind"] === "READ_POSITION";
}

/** The checkpoint's data (wire 4.6). `watermark`: where the failed stream goes on. */
export function checkpointData(watermark: number, unresolved: Iterable<FailedMessage>): string {
  const open = [...unresolved].map(({ position, retryCount, stream, streamPosition }) => [
    String(position),
    { retry_count: retryCount, stream_name: stream ?? null, stream_position: streamPosition ?? null },
  ]);
  return JSON.stringify({ watermark, unresolved: Object.fromEntries(open) });
}

/** The data of a record about a failed message (wire 4.6). */
export function failureData(
  { position, type, id, retryCount, stream, streamPosition }: FailedMessage,
): string {
  return JSON.stringify({
    position,
    message_type: type,
    message_id: id,
    retry_count: retryCount,
    stream_name: stream ?? null,
    stream_position: streamPosition ?? null,
  });
}

/** A message that was given up, or that later passes try again. */
export interface RecordedFailure extends FailedMessage {
  readonly isExhausted: boolean;
  /** When that was recorded, epoch ms. */
  readonly time: number;
}

/**
 * Every message that has failed and was neither handled since nor purged, as all records together tell: of
 * more than `most` the last ones. `version` is that of the last record; -1: there is none.
 */
export async function recordedFailures(
  store: BaseEventStore,
  { group, category }: StoreReaderName,
  most: number,
): Promise<{ readonly open: ReadonlyMap<number, RecordedFailure>; readonly version: number }> {
  const stream = failedStream(group, category);
  const tail = (await store.last(stream))?.position ?? -1;
  const open = new Map<number, RecordedFailure>();
  let next = 0;
  while (next <= tail) {
    const records = await store.read(stream, { from: next, limit: PAGE, maxSize: PAGE_SIZE });
    for (const record of records) note(record, open);
    for (const position of open.keys()) {
      if (open.size <= most) break;
      open.delete(position);
    }
    const last = records.at(-1);
    if (!last) break;
    next = last.position + 1;
  }
  return { open, version: Math.max(tail, next - 1) };
}

function note(record: StoredEvent, open: Map<number, RecordedFailure>): void {
  const message = messageIn(record);
  if (!message) return;
  const before = open.get(message.position);
  open.delete(message.position);
  const isExhausted = record.type === RECORD_TYPES.exhausted;
  if (!isExhausted && record.type !== RECORD_TYPES.failed) return;
  // Protean's record of a message that is given up does not say which it is.
  const known = before && message.id === "unknown" ? before : message;
  open.set(message.position, {
    ...known,
    retryCount: message.retryCount,
    stream: message.stream ?? before?.stream,
    streamPosition: message.streamPosition ?? before?.streamPosition,
    isExhausted,
    time: record.time,
  });
}

/** The message that a record is about; undefined for one that names none, or of another kind. */
function messageIn({ type, data }: StoredEvent): FailedMessage | undefined {
  const { failed, resolved, exhausted, purged } = RECORD_TYPES;
  if (![failed, resolved, exhausted, purged].some((known) => known === type)) return undefined;
  const values = parsed(data);
  const position = integer(values["position"]);
  return position === undefined ? undefined : failedMessage(position, values);
}

function fold(
  record: StoredEvent,
  unresolved: Map<number, FailedMessage>,
  ended: Set<number>,
  beyond: number,
): void {
  const message = messageIn(record);
  if (!message) return;
  const { position } = message;
  if (record.type === RECORD_TYPES.failed) {
    unresolved.set(position, message);
    ended.delete(position);
    return;
  }
  unresolved.delete(position);
  if (position > beyond) ended.add(position);
}

function failedMessage(position: number, data: Readonly<Record<string, unknown>>): FailedMessage {
  const { message_type, message_id, stream_name } = data;
  return {
    position,
    retryCount: Math.max(0, integer(data["retry_count"]) ?? 0),
    type: typeof message_type === "string" ? message_type : "unknown",
    id: typeof message_id === "string" ? message_id : "unknown",
    stream: typeof stream_name === "string" ? stream_name : undefined,
    streamPosition: integer(data["stream_position"]),
  };
}

/** A watermark that is no whole number counts as 0 (wire 4.6). */
function checkpointIn(record: StoredEvent | undefined): {
  readonly watermark: number;
  readonly unresolved: readonly FailedMessage[];
} {
  const { watermark, unresolved } = parsed(record?.data ?? "{}");
  const start = integer(watermark);
  if (start === undefined || start < 0) return { watermark: 0, unresolved: [] };
  const open = isRecord(unresolved) ? Object.entries(unresolved) : [];
  return {
    watermark: start,
    unresolved: open.flatMap(([key, data]) => {
      const position = integer(Number(key));
      return position === undefined || !isRecord(data) ? [] : [failedMessage(position, data)];
    }).sort((a, b) => a.position - b.position),
  };
}

async function recordAt(store: BaseEventStore, stream: string, at: number): Promise<StoredEvent | undefined> {
  const [record] = await store.read(stream, { from: at, limit: 1 });
  return record?.position === at ? record : undefined;
}

function positionIn({ type, data }: StoredEvent): number | undefined {
  const position = type === RECORD_TYPES.read ? integer(parsed(data)["position"]) : undefined;
  return position !== undefined && position >= -1 ? position : undefined;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function integer(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}
