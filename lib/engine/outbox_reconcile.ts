/**
 * Events that are in the event store and have no row in the outbox: the process died between the append and
 * the commit, where these are two databases (delivery 15). At the start of a server each is given its rows,
 * so that it is published after all (S58, wire 3.8).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { deadline } from "../async/abort.ts";
import { sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { BaseEventStore, BaseProvider, OutboxInsert, StoredEvent } from "../adapters/ports.ts";
import { MAIN, NOTHING, outboxRows } from "../domain/work/commit.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError } from "../errors.ts";
import { camelDomain, parseTypeString } from "../message/names.ts";
import { isJsonObject, parseJson } from "../message/parse.ts";
import { readMetadata } from "../message/read_metadata.ts";

const log = getLogger(["protean", "outbox"]);

/** So many of the last messages of the store are looked at by a start. */
export const LAST = 1_000;
const PAGE = 100;
const PAGE_SIZE = 4 * 1024 * 1024;
/** How long the start waits for it, and how long it is until it is tried again. */
const MOST_MS = 5_000;
const HOUR_MS = 3_600_000;

/** What it needs of a domain. */
type Needed =
  & Pick<DomainRuntime, "eventStore" | "providers" | "messageType">
  & Parameters<typeof outboxRows>[0];

export class OutboxReconcile extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name = "outbox-reconcile";
  readonly #runtime: Needed;
  #isDone = false;

  constructor(runtime: Needed) {
    super();
    this.#runtime = runtime;
  }

  protected override async begin(signal: AbortSignal): Promise<void> {
    await this.#attempt(signal);
  }

  protected async run(signal: AbortSignal): Promise<void> {
    while (!this.#isDone && !signal.aborted) {
      await sleep(this.#runtime.clock, MOST_MS, signal);
      if (!signal.aborted) await this.#attempt(signal);
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    try {
      const created = await deadline(
        (limit) => reconcile(this.#runtime, limit),
        ...[MOST_MS, this.#runtime.clock, signal] as const,
      );
      this.#isDone = true;
      if (created > 0) log.warn("outbox.reconciled", { events: created });
    } catch (error) {
      log.debug("outbox.reconcile_deferred", { error: asError(error).message });
    }
  }
}

/**
 * Gives the events their missing rows; returns how many events that were. A row that was removed after its
 * retention is not made again: only what is younger than that is looked at, and of it only what is younger
 * than an event that has its row, unless none has. Looks at the `last` messages of the store. Rejects as the
 * databases do; may be repeated.
 */
export async function reconcile(runtime: Needed, signal: AbortSignal, last = LAST): Promise<number> {
  const { eventStore: store } = runtime;
  const main = runtime.providers.get(MAIN);
  if (!store || !main?.outbox.present) return 0;
  const { broker } = runtime.config.config.outbox;
  let hasRow = false;
  let early: OutboxInsert[][] = [];
  let created = 0;
  for await (const events of lastEvents(store, signal, last)) {
    const own = events.map((event) => rowsOf(runtime, event)).filter((rows) => rows.length > 0);
    const ids = own.flatMap(([row]) => row?.messageId ?? []);
    const present = new Set(ids.length > 0 ? await main.outbox.present(ids, broker) : []);
    for (const rows of own) {
      if (present.has(rows[0]?.messageId ?? "")) {
        hasRow = true;
        early = [];
      } else early.push(rows);
    }
    if (hasRow) {
      created += await add(main, early, signal);
      early = [];
    }
  }
  return created + await add(main, early, signal);
}

/** The `last` messages of the store, page by page. */
async function* lastEvents(
  store: BaseEventStore,
  signal: AbortSignal,
  last: number,
): AsyncGenerator<readonly StoredEvent[]> {
  const end = (await store.last("$all"))?.globalPosition ?? -1;
  let from = Math.max(0, end - last + 1);
  while (from <= end && !signal.aborted) {
    const events = await store.read("$all", { from, limit: PAGE, maxSize: PAGE_SIZE });
    const latest = events.at(-1);
    if (!latest) return;
    yield events;
    from = latest.globalPosition + 1;
  }
}

async function add(
  main: BaseProvider,
  rows: readonly OutboxInsert[][],
  signal: AbortSignal,
): Promise<number> {
  if (rows.length === 0 || signal.aborted) return 0;
  await main.session().commit({ ...NOTHING, outbox: rows.flat() });
  return rows.length;
}

/** Rows of an event that this domain has raised lately; none for anything else. */
function rowsOf(runtime: Needed, { type, data, metadata, time }: StoredEvent): OutboxInsert[] {
  const { published_retention_hours, abandoned_retention_hours } = runtime.config.config.outbox.cleanup;
  const kept = Math.min(published_retention_hours, abandoned_retention_hours) * HOUR_MS;
  if (time <= runtime.clock.now() - kept) return [];
  const parts = parseTypeString(type);
  if (parts?.domain !== camelDomain(runtime.name)) return [];
  const definition = runtime.messageType(parts.name);
  if (definition?.kind !== "event" || !definition.aggregate) return [];
  const isKnown = parts.version === definition.version || Object.hasOwn(definition.upcasters, parts.version);
  if (!isKnown) return [];
  try {
    const parsed = parseJson(metadata);
    if (!isJsonObject(parsed)) return [];
    const { domain, ...rest } = readMetadata(parsed);
    if (domain.kind !== "EVENT" || rest.headers.id === "") return [];
    // As it was sent: the store's own figures are added to its copy.
    const sent = { ...rest, domain: { ...domain, expected_version: null }, event_store: null };
    const { published } = definition;
    return outboxRows(runtime, {
      ...{ data, metadata: sent, priority: 0, published, expectedVersion: undefined, order: 0 },
    });
  } catch (error) {
    log.warn("outbox.not_reconciled", { message_type: type, error: asError(error).message });
    return [];
  }
}
