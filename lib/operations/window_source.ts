/**
 * Where the messages of a window are read from: the stream while it holds the window, else the event store
 * (operations 6).
 *
 * @module
 */
import type { BaseBroker, BaseEventStore } from "../adapters/ports.ts";
import { compareIdTexts } from "../adapters/stream_id.ts";
import { kindOfStored, storedEntry } from "../subscription/stored_message.ts";

/** Messages that are read at once, and bytes of their texts. */
const PAGE = 100;
const PAGE_BYTES = 16 * 1024 * 1024;
/** Clocks of those who appended differ by less: positions are not in the order of times. */
const SKEW_MS = 5 * 60_000;

/** A message of a window. */
export interface WindowMessage {
  /** Id on the stream, or the global position. */
  readonly id: string;
  readonly text: string | undefined;
  /** Its text is larger than what is received: no more than the beginning is there. */
  readonly tooLarge: boolean;
}

/** One stream or category of a window, as it is kept. */
export interface WindowPlace {
  readonly source: "stream" | "event_store";
  readonly stream: string;
  /** The last message that is meant. */
  readonly upper: string;
}

export interface WindowSpan {
  /** Epoch ms; inclusive. */
  readonly from: number;
  /** Epoch ms; exclusive. */
  readonly to: number;
}

export interface WindowSources {
  readonly broker: BaseBroker;
  readonly store: BaseEventStore | undefined;
  /** Of a larger text no more than the beginning is read. */
  readonly largest: number;
}

/** The messages behind `after`, in order, page by page; pages may be empty. */
export function messagesOf(
  sources: WindowSources,
  place: WindowPlace,
  span: WindowSpan,
  after: string | undefined,
): AsyncGenerator<readonly WindowMessage[]> {
  if (place.source === "stream") return ofStream(sources, place, span, after);
  return ofStore(sources, place, span, after);
}

async function* ofStream(
  { broker: { deadLetters }, largest }: WindowSources,
  { stream, upper }: WindowPlace,
  { from, to }: WindowSpan,
  last: string | undefined,
): AsyncGenerator<readonly WindowMessage[]> {
  let after = last ?? (from > 0 ? `${from - 1}-${Number.MAX_SAFE_INTEGER}` : undefined);
  while (true) {
    const page = await deadLetters.list(stream, {
      ...{ limit: PAGE, maxBytes: PAGE_BYTES, maxEntryBytes: largest },
      ...(after !== undefined && { after }),
    });
    const meant = page.filter(({ id }) => compareIdTexts(id, upper) <= 0 && timeOf(id) < to);
    yield meant.map(({ id, data, tooLarge }) => ({ id, text: data, tooLarge: tooLarge !== undefined }));
    after = page.at(-1)?.id;
    if (after === undefined || meant.length < page.length) return;
  }
}

async function* ofStore(
  { store, largest }: WindowSources,
  { stream, upper }: WindowPlace,
  { from, to }: WindowSpan,
  last: string | undefined,
): AsyncGenerator<readonly WindowMessage[]> {
  if (!store) return;
  let position = last === undefined ? await firstSince(store, stream, from - SKEW_MS) : Number(last) + 1;
  while (true) {
    const page = await store.read(stream, { from: position, limit: PAGE, maxSize: PAGE_BYTES });
    const next = page.at(-1)?.globalPosition;
    if (next === undefined) return;
    const known = page.filter(({ globalPosition }) => globalPosition <= Number(upper));
    yield known.filter((event) => event.time >= from && event.time < to && kindOfStored(event) === "message")
      .map((event) => {
        const { id, data } = storedEntry(event);
        return { id, text: data, tooLarge: (data?.length ?? 0) > largest };
      });
    if (known.length < page.length || page.every(({ time }) => time >= to + SKEW_MS)) return;
    position = next + 1;
  }
}

/** The position of the first message of that time or later, about: positions are nearly in order of time. */
async function firstSince(store: BaseEventStore, stream: string, time: number): Promise<number> {
  let low = 0;
  let high = (await store.last(stream))?.globalPosition ?? 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [event] = await store.read(stream, { from: middle, limit: 1 });
    if (!event || event.time >= time) high = middle;
    else low = event.globalPosition + 1;
  }
  return low;
}

/**
 * What a category's part of the window is read from, and up to where. The stream holds it where its first
 * entry is not younger than the window; what its group has not read yet is left out, for it comes by
 * itself. Undefined: there is nothing.
 */
export async function placeOf(
  { broker, store }: WindowSources,
  { stream, category, group, from }: {
    readonly stream: string;
    readonly category: string;
    readonly group: string;
    readonly from: number;
  },
): Promise<WindowPlace | undefined> {
  const oldest = await broker.deadLetters.oldest(stream);
  const inStore = store && await store.last(category);
  if (inStore && (oldest === undefined || oldest > from)) {
    return { source: "event_store", stream: category, upper: String(inStore.globalPosition) };
  }
  if (oldest === undefined) return undefined;
  const [newest] = await broker.deadLetters.list(stream, {
    ...{ direction: "backwards", limit: 1, maxEntryBytes: 1 },
  });
  const read = (await broker.groups(stream)).find((found) => found.group === group)?.lastDeliveredId;
  if (!newest) return undefined;
  const upper = read !== undefined && compareIdTexts(read, newest.id) < 0 ? read : newest.id;
  return { source: "stream", stream, upper };
}

function timeOf(id: string): number {
  return Number(id.split("-", 1)[0]);
}
