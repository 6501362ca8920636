/**
 * The database as the auditor sees it, through a client of its own and not through the library that is
 * audited.
 *
 * @module
 */
import postgres from "postgres";
import type { Effect } from "./verdict.ts";

/** A database that was stopped may leave a question without an answer. */
const ANSWER_MS = 10_000;

export class Books implements AsyncDisposable {
  readonly #uri: string;
  #client: postgres.Sql | undefined;

  constructor(uri: string) {
    this.#uri = uri;
  }

  /** Creates the table `effects`, which has what is written to the projection as well. */
  async prepare(): Promise<void> {
    await this.ask(
      `create table effects (seq bigint generated always as identity primary key, handler text, key text, n int);
      create function note_effect() returns trigger language plpgsql as $$
        begin
          insert into effects (handler, key, n)
            values (new.state ->> 'handler', new.state ->> 'key', (new.state ->> 'n')::int);
          return null;
        end $$;
      create trigger noted after insert or update on protean_audit_view_left
        for each row execute function note_effect();`,
    );
  }

  /** Creates a role that may use everything that is there, and is not the one whom all tests share. */
  async admit(role: string): Promise<void> {
    await this.ask(`create role ${role} login`);
    await this.ask(`grant all on all tables in schema public to ${role}`);
    await this.ask(`grant all on all sequences in schema public to ${role}`);
  }

  /** By key, how many events are committed. */
  async committed(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.ask("select id, state->>'produced' as produced from protean_audit_source");
    return new Map(rows.map(({ id, produced }) => [String(id), Number(produced)]));
  }

  /** Every effect, in the order of insertion. */
  async effects(): Promise<readonly Effect[]> {
    const rows = await this.ask("select handler, key, n from effects order by seq");
    return rows.map(({ handler, key, n }) => ({ handler: String(handler), key: String(key), n: Number(n) }));
  }

  /** How many effects there are. */
  count(): Promise<number> {
    return this.#number("select count(*) as n from effects");
  }

  /** How many rows a table has. */
  rows(table: string): Promise<number> {
    return this.#number(`select count(*) as n from ${table}`);
  }

  /** Outbox rows that are not published. */
  unpublished(): Promise<number> {
    return this.#number("select count(*) as n from protean_outbox where status <> 'published'");
  }

  /** Outbox rows that are given up. */
  abandoned(): Promise<number> {
    return this.#number("select count(*) as n from protean_outbox where status = 'abandoned'");
  }

  /** Blocks of the outbox and its indexes that were touched since the server started. */
  outboxBlocks(): Promise<number> {
    return this.#number(
      "select heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit as n " +
        "from pg_statio_user_tables where relname = 'protean_outbox'",
    );
  }

  /** Any statement. Rejects when the database is away; the next one connects anew. */
  async ask(statement: string): Promise<readonly Record<string, unknown>[]> {
    const client = this.#client ??= postgres(this.#uri, {
      max: 1,
      connect_timeout: 5,
      fetch_types: false,
      onnotice: () => {},
    });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`No answer to: ${statement}`)), ANSWER_MS);
    try {
      return await Promise.race([client.unsafe(statement), late]);
    } catch (error) {
      this.#client = undefined;
      await client.end({ timeout: 0 });
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.end({ timeout: 0 });
  }

  async #number(statement: string): Promise<number> {
    const [row] = await this.ask(statement);
    return Number(row?.["n"]);
  }
}
