/**
 * What the rules of the provider and outbox suites work with.
 *
 * @module
 */
import {
  type BaseProvider,
  type OutboxInsert,
  type ProviderSession,
  type RowWrite,
  shardOf,
  type SqlRow,
  type SqlStatement,
  type SqlValue,
  type StoredRow,
  type WriteSet,
} from "../../adapters/ports.ts";
import type { Clock } from "../../async/clock.ts";
import type { MessageMetadata } from "../../message/types.ts";

/** An opened provider under test, on a database of its own with nothing in it. */
export interface ProviderFixture {
  readonly provider: BaseProvider;
  /**
   * Opens a second instance on the same database, as another process would; the fixture's `close` closes it.
   */
  readonly another?: () => Promise<BaseProvider>;
  /** The provider's clock. */
  readonly clock: Clock;
  /**
   * Lets at least `ms` pass for the provider: moves its clock, or waits where the database has a clock of its
   * own.
   */
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What one rule works with: names nobody else uses, tables set up, and short forms. */
export interface ProviderRig {
  readonly provider: BaseProvider;
  /** Another process's provider, or the same one where the database cannot be shared. */
  readonly other: BaseProvider;
  /** An aggregate's table. */
  readonly table: string;
  /** A view's table. */
  readonly view: string;
  readonly clock: Clock;
  elapse(ms: number): Promise<void>;
  /** Commits in a session of its own. */
  commit(writes: Partial<WriteSet>, provider?: BaseProvider): Promise<void>;
  /** A row as another session sees it. */
  stored(id: string): Promise<StoredRow | undefined>;
  /** A write of a row of `table`; without a state it is deleted. */
  row(id: string, expected: number | undefined, state?: unknown): RowWrite;
}

/** Registers one rule: a sentence, and what proves it. */
export type Rule = (sentence: string, prove: (rig: ProviderRig) => Promise<void>) => void;

export async function openProviderBench(fixture: ProviderFixture): Promise<ProviderRig> {
  const { provider, clock } = fixture;
  const prefix = `protean_suite_${crypto.randomUUID().slice(0, 8)}`;
  const [table, view] = [`${prefix}_order`, `${prefix}_view_summary`];
  await provider.setup("all", [{ kind: "aggregate", name: table }, { kind: "view", name: view }]);
  return {
    provider,
    other: fixture.another ? await fixture.another() : provider,
    table,
    view,
    clock,
    elapse: (ms) => fixture.elapse(ms),
    commit: async (writes, on = provider) => {
      await on.session().commit(writeSet(writes));
    },
    stored: (id) => inSession(provider, (session) => session.load(table, id)),
    row: (id, expected, state) => ({
      table,
      id,
      expected,
      state: state === undefined ? undefined : JSON.stringify(state),
    }),
  };
}

export function writeSet(writes: Partial<WriteSet>): WriteSet {
  return { rows: [], outbox: [], events: [], ...writes };
}

/** Runs `work` in a session that is rolled back afterwards. */
export async function inSession<T>(
  provider: BaseProvider,
  work: (session: ProviderSession) => Promise<T>,
): Promise<T> {
  const session = provider.session();
  try {
    return await work(session);
  } finally {
    await session.rollback();
  }
}

/** A statement, written as a template. */
export function sql(strings: TemplateStringsArray, ...values: SqlValue[]): SqlStatement {
  return { strings: [...strings], values };
}

/** A statement on a table whose name stands for `$table`. */
export function on(table: string, statement: SqlStatement): SqlStatement {
  return { ...statement, strings: statement.strings.map((text) => text.replaceAll("$table", table)) };
}

/** Values of one column. */
export function column(rows: readonly SqlRow[], name: string): unknown[] {
  return rows.map((row) => row[name]);
}

export interface MessageOptions {
  readonly id?: string;
  readonly kind?: "EVENT" | "COMMAND";
}

/** Metadata as an event of `stream` carries it. */
export function metadataOf(stream: string, options: MessageOptions = {}): MessageMetadata {
  const { id = crypto.randomUUID(), kind = "EVENT" } = options;
  return {
    headers: {
      id,
      time: "2026-01-02T03:04:05.678901+00:00",
      type: "Shop.OrderPlaced.v1",
      stream,
      traceparent: null,
      idempotency_key: null,
      deadline: null,
    },
    envelope: { specversion: "1.0", checksum: null },
    domain: {
      fqn: "Shop.OrderPlaced",
      kind,
      origin_stream: null,
      stream_category: kind === "EVENT" ? "shop::order" : null,
      version: 1,
      sequence_id: "0.1",
      asynchronous: true,
      expected_version: null,
      priority: 0,
      correlation_id: `correlation of ${id}`,
      causation_id: null,
    },
    event_store: null,
    extensions: { note: "äöü 😀" },
  };
}

/** An outbox row of the stream, as a unit of work inserts it. */
export function outboxInsert(stream: string, options: Partial<OutboxInsert> = {}): OutboxInsert {
  const messageId = options.messageId ?? crypto.randomUUID();
  const metadata = metadataOf(stream, { id: messageId });
  return {
    messageId,
    streamName: stream,
    type: "Shop.OrderPlaced.v1",
    data: `{"order":"${stream}"}`,
    metadata: JSON.stringify(metadata),
    correlationId: metadata.domain.correlation_id,
    causationId: metadata.domain.causation_id,
    targetBroker: "default",
    priority: 0,
    shard: shardOf(stream),
    ...options,
  };
}

/** Waits for `promise`, and fails when that takes longer than anything here should. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within 10 s.`)), 10_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
