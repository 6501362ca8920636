/**
 * The unit of work: everything one handler method reads and writes, committed together or not at all.
 *
 * Nothing is written while the handler runs: rows, outbox rows and event-store appends are buffered and go
 * out with the commit (delivery 13, 14). Only a statement of the user's own (`ctx.sql`) makes the rows
 * buffered so far visible to itself, inside the same transaction. A unit of work that touches nothing opens
 * no session at all (POOL-3).
 *
 * One transaction is one database. The database `default` carries aggregates, outbox rows and idempotency
 * marks; projections may live in others, which commit right before it, so what is written there must bear
 * being written twice.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import {
  loadMany,
  type Mark,
  markMany,
  type MarkOutcome,
  type RowWrite,
  type SqlRow,
  type SqlStatement,
} from "../../adapters/ports.ts";
import { unstorable } from "../../message/storable.ts";
import type { AggregateDefinition } from "../elements/aggregate.ts";
import type { Stored } from "../elements/aggregate_store.ts";
import { CacheWrites } from "./cache.ts";
import { type Buffered, commitAll, inLockOrder, MAIN, NOTHING } from "./commit.ts";
import { IdentityMap } from "./identity_map.ts";
import type { AggregateInstance } from "../elements/instance.ts";
import { type Origin, type Outgoing, raisedMessages } from "./outgoing.ts";
import type { ProjectionDefinition } from "../elements/projection.ts";
import type { WorkRuntime } from "../runtime.ts";
import { type Guard, Sessions, type Turn } from "./sessions.ts";
import { CallQueue } from "./call_queue.ts";
import { UnrunStatements } from "./unrun_statements.ts";
import { type Page, ViewRows } from "./view_rows.ts";

const log = getLogger(["protean", "domain"]);

/** What a unit of work is about. */
export interface WorkScope {
  /** What the messages written in it inherit from. */
  readonly origin: Origin;
  readonly guard: Guard;
  /**
   * Looks for what a removed aggregate has left before a new one takes its id. Costs a read per new
   * aggregate, so handlers do it only when they are repeated after a conflict.
   */
  readonly careful: boolean;
  /** On whose behalf it waits for connections, one of many at once. @default nobody's */
  readonly turn?: Turn;
}

export class UnitOfWork {
  readonly runtime: WorkRuntime;
  readonly #scope: WorkScope;
  readonly #calls = new CallQueue();
  // Made when first needed: most units of work use few of them, many none.
  #opened: Sessions | undefined;
  #aggregates: IdentityMap | undefined;
  #views: ViewRows | undefined;
  #cache: CacheWrites | undefined;
  #sent: Outgoing[] | undefined;
  #recorded: Outgoing[] | undefined;
  #committed: readonly Outgoing[] = [];
  #statements: UnrunStatements | undefined;

  constructor(runtime: WorkRuntime, scope: WorkScope) {
    this.runtime = runtime;
    this.#scope = scope;
  }

  /** What the messages written in it inherit from: the message in context and the trace. */
  get origin(): Origin {
    return this.#scope.origin;
  }

  /**
   * Claims an idempotency mark. False: the effect is committed already. `fresh`: it most likely is not, so that
   * the commit may find out (see `ProviderSession.mark`).
   */
  claim(mark: Mark, fresh = false): Promise<boolean> {
    return this.#calls.next(() => this.#sessions.run(MAIN, (session) => session.mark(mark, fresh)));
  }

  /**
   * Claims the marks of several messages, of which none is given twice; returns what became of each, in their
   * order.
   */
  claimMany(marks: readonly Mark[]): Promise<readonly MarkOutcome[]> {
    return this.#calls.next(() => this.#sessions.run(MAIN, (session) => markMany(session, marks)));
  }

  /** The aggregate of that id, always the same instance. */
  find(definition: AggregateDefinition, id: string): Promise<AggregateInstance | undefined> {
    return this.#calls.next(async () => {
      const aggregates = this.#aggregates ??= new IdentityMap();
      const known = aggregates.known(definition, id);
      if (known !== undefined) return known ?? undefined;
      // No database holds it, and one would find another in its place.
      if (unstorable(id)) return undefined;
      return aggregates.loaded(definition, id, await this.#stored(definition, id));
    });
  }

  /** The aggregates of those ids that exist, always the same instances, in the order of `ids`. */
  findMany(
    definition: AggregateDefinition,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, AggregateInstance>> {
    return this.#calls.next(async () => {
      const aggregates = this.#aggregates ??= new IdentityMap();
      const unknown = wanted(ids, (id) => aggregates.known(definition, id) !== undefined);
      if (unknown.length > 0) {
        const { eventStore } = this.runtime;
        const stored = await this.#sessions.run(
          MAIN,
          (session) => definition.store.loadMany(unknown, { session, eventStore }),
        );
        for (const [id, each] of stored) aggregates.loaded(definition, id, each);
      }
      return present(ids, (id) => aggregates.known(definition, id) ?? undefined);
    });
  }

  /** Saves `instance` with the commit. */
  save(definition: AggregateDefinition, instance: AggregateInstance): Promise<void> {
    return this.#calls.next(() => (this.#aggregates ??= new IdentityMap()).save(definition, instance));
  }

  /** Removes `instance` with the commit. */
  remove(definition: AggregateDefinition, instance: AggregateInstance): Promise<void> {
    return this.#calls.next(() => (this.#aggregates ??= new IdentityMap()).remove(definition, instance));
  }

  /** The text of a projection row. */
  readRow(projection: ProjectionDefinition, id: string): Promise<string | undefined> {
    return this.#calls.next(async () => {
      const views = this.#views ??= new ViewRows();
      const known = views.known(projection, id);
      if (known) return known.text;
      const { provider, table } = projection;
      const row = await this.#sessions.run(provider, (session) => session.load(table, id));
      return views.read(projection, id, row).text;
    });
  }

  /** The texts of the projection rows of those ids that exist, in the order of `ids`. */
  readRows(projection: ProjectionDefinition, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#calls.next(async () => {
      const views = this.#views ??= new ViewRows();
      const unknown = wanted(ids, (id) => views.known(projection, id) !== undefined);
      if (unknown.length > 0) {
        const { provider, table } = projection;
        const rows = await this.#sessions.run(provider, (session) => loadMany(session, table, unknown));
        for (const id of unknown) views.read(projection, id, rows.get(id));
      }
      return present(ids, (id) => views.known(projection, id)?.text);
    });
  }

  /** A page of projection rows, in order of id. */
  listRows(projection: ProjectionDefinition, page: Page): Promise<{ id: string; text: string }[]> {
    return this.#calls.next(async () => {
      const views = this.#views ??= new ViewRows();
      const limit = page.limit + views.deletions(projection);
      const options = page.after === undefined ? { limit } : { after: page.after, limit };
      const { provider, table } = projection;
      const stored = await this.#sessions.run(provider, (session) => session.list(table, options));
      const rows = views.overlay(projection, stored, page, stored.length === limit);
      return rows.flatMap(({ id, text }) => text === undefined ? [] : [{ id, text }]);
    });
  }

  /** Writes or (`text` undefined) deletes a projection row with the commit. */
  writeRow(projection: ProjectionDefinition, id: string, text: string | undefined): Promise<void> {
    return this.#calls.next(() => (this.#views ??= new ViewRows()).write(projection, id, text));
  }

  /** Works on the buffered caches, in turn. */
  cache<T>(work: (cache: CacheWrites) => Promise<T> | T): Promise<T> {
    return this.#calls.next(() => work(this.#cache ??= new CacheWrites(this.runtime.caches)));
  }

  /** The user's own statements that are written and do not run yet. */
  get statements(): UnrunStatements {
    return this.#statements ??= new UnrunStatements();
  }

  /** Runs a statement of the user's own, which sees all writes so far. */
  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#calls.next(async () => {
      await this.#flushRows();
      const rows = await this.#sessions.run(MAIN, (session) => session.query(statement));
      this.#views?.forget();
      return rows;
    });
  }

  /** Publishes or sends a message with the commit. */
  send(message: Outgoing): Promise<void> {
    return this.#calls.next(() => void (this.#sent ??= []).push(message));
  }

  /** Writes a message to the event store alone: a command that is handled here and now (wire 10.14). */
  record(message: Outgoing): void {
    (this.#recorded ??= []).push(message);
  }

  /**
   * Commits. Returns the event-store positions of what was recorded, sent and raised, in that order. Throws
   * `ExpectedVersionError`, `DuplicateMessageError`, `CommitRefusedError`, `IncorrectUsageError` for a
   * statement that was never awaited, or what the adapters throw; the main database has nothing of it then.
   */
  async commit(): Promise<readonly number[]> {
    const calls = this.#calls.end();
    if (calls) await calls;
    this.#statements?.assertNone();
    if (this.#untouched) return [];
    try {
      this.#opened?.assertMayCommit();
      await this.#look();
      const buffered = this.#buffered();
      const settle = this.#aggregates?.settlement();
      const positions = await commitAll(this.runtime, this.#sessions, buffered);
      settle?.();
      this.#committed = buffered.messages;
      return positions;
    } catch (error) {
      await this.#sessions.rollback();
      throw error;
    }
  }

  /** How many aggregates were loaded, and how many saved or removed; for the log. */
  get operations(): { readonly loads: number; readonly saves: number } {
    return this.#aggregates?.operations ?? { loads: 0, saves: 0 };
  }

  /** What was sent and raised, once it is committed. */
  get committed(): readonly Outgoing[] {
    return this.#committed;
  }

  /** Ends the unit of work without effect. Never throws. */
  async rollback(): Promise<void> {
    await this.#calls.end();
    await this.#opened?.rollback();
  }

  /** What the first call to a database that failed has thrown; nothing can be committed since. */
  get failure(): Error | undefined {
    return this.#opened?.failure;
  }

  get #sessions(): Sessions {
    return this.#opened ??= new Sessions(this.runtime, this.#scope.guard, this.#scope.turn);
  }

  get #untouched(): boolean {
    return !(this.#opened ?? this.#aggregates ?? this.#views ?? this.#cache ?? this.#sent ?? this.#recorded);
  }

  #buffered(): Buffered {
    const { guard } = this.#scope;
    const flushCache: Buffered["flushCache"] = (assertMayCommit) =>
      this.#cache?.flush(assertMayCommit, (backend) => guard.committed?.(backend)) ?? Promise.resolve();
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
    const raised = (this.#aggregates?.raising ?? []).flatMap(({ instance, events }) =>
      raisedMessages(this.runtime, instance, events, this.#scope.origin)
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
    // A handler that swallows what this throws has rows that count as written and are not; but nothing can be
    // committed then.
    await this.#sessions.run(MAIN, (session) => session.flush({ ...NOTHING, rows }));
  }

  /** Learns what removed aggregates have left under the ids of new ones. */
  async #look(): Promise<void> {
    if (!this.#scope.careful) return;
    for (const { definition, id } of this.#aggregates?.unseen ?? []) {
      this.#aggregates?.left(definition, id, await this.#stored(definition, id));
    }
  }

  #stored({ store }: AggregateDefinition, id: string): Promise<Stored> {
    const { eventStore } = this.runtime;
    return this.#sessions.run(MAIN, (session) => store.load(id, { session, eventStore }));
  }
}

/** Those that have to be asked for: each once, none that no database holds. */
function wanted(ids: readonly string[], isKnown: (id: string) => boolean): readonly string[] {
  return [...new Set(ids)].filter((id) => !isKnown(id) && unstorable(id) === undefined);
}

function present<T>(ids: readonly string[], find: (id: string) => T | undefined): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const id of ids) {
    const value = find(id);
    if (value !== undefined) found.set(id, value);
  }
  return found;
}
