/**
 * The unit of work: everything one handler method reads and writes, committed together or not at all.
 *
 * Nothing is written while the handler runs: rows, outbox rows and event-store appends are buffered and go out with the
 * commit (delivery 13, 14). Only a statement of the user's own (`ctx.sql`) makes the rows buffered so far visible to
 * itself, inside the same transaction. A unit of work that touches nothing opens no session at all (POOL-3).
 *
 * One transaction is one database. The database `default` carries aggregates, outbox rows and idempotency marks; projections
 * may live in others, which commit right before it, so what is written there must bear being written twice.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Mark, RowWrite, SqlRow, SqlStatement } from "../../adapters/ports.ts";
import { asError } from "../../errors.ts";
import type { Message } from "../../message/types.ts";
import type { AggregateDefinition } from "../elements/aggregate.ts";
import { CacheWrites } from "./cache.ts";
import { type Buffered, commitAll, inLockOrder, MAIN, NOTHING } from "./commit.ts";
import { IdentityMap } from "./identity_map.ts";
import type { AggregateInstance } from "../elements/instance.ts";
import { type Outgoing, raisedMessages } from "./outgoing.ts";
import type { ProjectionDefinition } from "../elements/projection.ts";
import type { WorkRuntime } from "../runtime.ts";
import { type Guard, Sessions } from "./sessions.ts";
import { Turns } from "./call_queue.ts";
import { type Page, ViewRows } from "./view_rows.ts";

const log = getLogger(["protean", "domain"]);

/** What a unit of work is about. */
export interface WorkScope {
  /** The message in context; undefined outside handlers. */
  readonly message: Message | undefined;
  readonly guard: Guard;
  /**
   * Looks for what a removed aggregate has left before a new one takes its id. Costs a read per new aggregate, so handlers do
   * it only when they are repeated after a conflict.
   */
  readonly careful: boolean;
}

export class UnitOfWork {
  readonly runtime: WorkRuntime;
  readonly #scope: WorkScope;
  readonly #turns = new Turns();
  #failure: Error | undefined;
  // Made when first needed: most units of work use few of them, many none.
  #opened: Sessions | undefined;
  #aggregates: IdentityMap | undefined;
  #views: ViewRows | undefined;
  #cache: CacheWrites | undefined;
  #sent: Outgoing[] | undefined;
  #recorded: Outgoing[] | undefined;

  constructor(runtime: WorkRuntime, scope: WorkScope) {
    this.runtime = runtime;
    this.#scope = scope;
  }

  /** The message in context. */
  get message(): Message | undefined {
    return this.#scope.message;
  }

  /** Claims an idempotency mark. False: the effect is committed already. */
  claim(mark: Mark): Promise<boolean> {
    return this.#turns.next(() => this.#sessions.on(MAIN).mark(mark));
  }

  /** The aggregate of that id, always the same instance. */
  find(definition: AggregateDefinition, id: string): Promise<AggregateInstance | undefined> {
    return this.#turns.next(async () => {
      const aggregates = this.#aggregates ??= new IdentityMap();
      const known = aggregates.known(definition, id);
      if (known !== undefined) return known ?? undefined;
      return aggregates.loaded(definition, await this.#sessions.on(MAIN).load(definition.table, id));
    });
  }

  /** Saves or removes `instance` with the commit. */
  mark(
    definition: AggregateDefinition,
    instance: AggregateInstance,
    fate: "saved" | "removed",
  ): Promise<void> {
    return this.#turns.next(() => (this.#aggregates ??= new IdentityMap()).mark(definition, instance, fate));
  }

  /** The text of a projection row. */
  readRow(projection: ProjectionDefinition, id: string): Promise<string | undefined> {
    return this.#turns.next(async () => {
      const views = this.#views ??= new ViewRows();
      const known = views.known(projection, id);
      if (known) return known.text;
      const row = await this.#sessions.on(projection.provider).load(projection.table, id);
      return views.read(projection, id, row).text;
    });
  }

  /** A page of projection rows, in order of id. */
  listRows(projection: ProjectionDefinition, page: Page): Promise<{ id: string; text: string }[]> {
    return this.#turns.next(async () => {
      const views = this.#views ??= new ViewRows();
      const limit = page.limit + views.deletions(projection);
      const options = page.after === undefined ? { limit } : { after: page.after, limit };
      const stored = await this.#sessions.on(projection.provider).list(projection.table, options);
      const rows = views.overlay(projection, stored, page, stored.length === limit);
      return rows.flatMap(({ id, text }) => text === undefined ? [] : [{ id, text }]);
    });
  }

  /** Writes or (`text` undefined) deletes a projection row with the commit. */
  writeRow(projection: ProjectionDefinition, id: string, text: string | undefined): Promise<void> {
    return this.#turns.next(() => (this.#views ??= new ViewRows()).write(projection, id, text));
  }

  /** Works on the buffered caches, in turn. */
  cache<T>(work: (cache: CacheWrites) => Promise<T> | T): Promise<T> {
    return this.#turns.next(() => work(this.#cache ??= new CacheWrites(this.runtime.caches)));
  }

  /** Runs a statement of the user's own, which sees all writes so far. */
  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#turns.next(async () => {
      await this.#flushRows();
      const rows = await this.#sessions.on(MAIN).query(statement);
      this.#views?.forget();
      return rows;
    });
  }

  /** Publishes or sends a message with the commit. */
  send(message: Outgoing): Promise<void> {
    return this.#turns.next(() => void (this.#sent ??= []).push(message));
  }

  /** Writes a message to the event store alone: a command that is handled here and now (wire 10.14). */
  record(message: Outgoing): void {
    (this.#recorded ??= []).push(message);
  }

  /**
   * Commits. Answers the event-store positions of what was recorded, sent and raised, in that order. Throws
   * `ExpectedVersionError`, `DuplicateMessageError`, `CommitRefusedError` or what the adapters throw; the main database has
   * nothing of it then.
   */
  async commit(): Promise<readonly number[]> {
    await this.#turns.end();
    if (this.#untouched) return [];
    try {
      if (this.#failure) throw this.#failure;
      await this.#look();
      const buffered = this.#buffered();
      const settle = this.#aggregates?.settlement();
      const positions = await commitAll(this.runtime, this.#sessions, buffered);
      settle?.();
      return positions;
    } catch (error) {
      await this.#sessions.rollback();
      throw error;
    }
  }

  /** Ends the unit of work without effect. Never throws. */
  async rollback(): Promise<void> {
    await this.#turns.end();
    await this.#opened?.rollback();
  }

  get #sessions(): Sessions {
    return this.#opened ??= new Sessions(this.runtime, this.#scope.guard);
  }

  get #untouched(): boolean {
    return !(this.#opened ?? this.#aggregates ?? this.#views ?? this.#cache ?? this.#sent ?? this.#recorded);
  }

  #buffered(): Buffered {
    const flushCache = () => this.#cache?.flush() ?? Promise.resolve();
    for (const { aggregate, id } of this.#aggregates?.forgotten ?? []) {
      log.warn("unit_of_work.change_not_added", { aggregate: aggregate.name, id });
    }
    const names = new Set([MAIN, ...this.#views?.providers ?? []]);
    const rows = new Map(
      [...names].map((name) => [name, this.#takeRows(name)] as const).filter(([, taken]) => taken.length > 0),
    );
    return { rows, messages: this.#messages(), recorded: this.#recorded ?? [], flushCache };
  }

  /** What is sent and what the aggregates raised, in the order in which user code did it. */
  #messages(): readonly Outgoing[] {
    const raised = (this.#aggregates?.raising ?? []).flatMap(({ instance, version }) =>
      raisedMessages(this.runtime, instance, version, this.#scope.message)
    );
    return [...this.#sent ?? [], ...raised].sort((a, b) => a.order - b.order);
  }

  #takeRows(provider: string): readonly RowWrite[] {
    const aggregates = provider === MAIN ? this.#aggregates?.takeRows() : undefined;
    return inLockOrder([...aggregates ?? [], ...this.#views?.takeRows(provider) ?? []]);
  }

  /** Writes the rows buffered so far into the open transaction. */
  async #flushRows(): Promise<void> {
    await this.#look();
    const rows = this.#takeRows(MAIN);
    if (rows.length === 0) return;
    try {
      await this.#sessions.on(MAIN).flush({ ...NOTHING, rows });
    } catch (cause) {
      // The handler may catch this, but the rows count as written and are not: there is nothing left to commit.
      this.#failure = asError(cause);
      throw cause;
    }
  }

  /** Learns what removed aggregates have left under the ids of new ones. */
  async #look(): Promise<void> {
    if (!this.#scope.careful) return;
    for (const { definition, id } of this.#aggregates?.unseen ?? []) {
      const row = await this.#sessions.on(MAIN).load(definition.table, id);
      if (row) this.#aggregates?.left(definition, row);
    }
  }
}
