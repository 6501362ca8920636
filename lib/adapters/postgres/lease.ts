/**
 * Shards of the outbox in the hands of one processor (delivery 9): session advisory locks, and every statement on the session
 * that has them. So whoever has lost the locks cannot mark a row any more, and a holder that dies lets go at once.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { asError } from "../../errors.ts";
import type { OutboxLease, OutboxOutcome, OutboxRow } from "../ports.ts";
import type { Connection, Row } from "./connection.ts";
import type { Where } from "./errors.ts";
import { claimText, publishedText, unpublishedText } from "./lease_sql.ts";
import type { Names } from "./names.ts";
import { exchange, type Planned } from "./statement.ts";
import { arrayText } from "./values.ts";

export interface LeaseParts {
  readonly connection: Connection;
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  readonly broker: string;
  /** Unique to this lease: rows `processing` under any other name were left by somebody who is gone. */
  readonly holder: string;
  readonly shards: readonly number[];
  /** Takes the connection back, its locks given up or itself destroyed. */
  readonly giveBack: (connection: Connection) => void;
}

type Tried = Extract<OutboxOutcome, { readonly error: string }>;

export class PostgresOutboxLease implements OutboxLease {
  readonly shards: readonly number[];
  readonly #parts: LeaseParts;
  /** Message ids of the rows claimed and not settled, by id. */
  readonly #claimed = new Map<string, string>();
  #released: Promise<void> | undefined;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.shards = parts.shards;
  }

  async claim(limit: number): Promise<readonly OutboxRow[]> {
    if (this.#released || limit < 1) return [];
    const { connection, names, where, clock, broker, holder } = this.#parts;
    const [rows = []] = await exchange(connection, [{
      text: claimText(names, this.shards.length),
      values: [broker, holder, String(clock.now()), String(limit), ...this.shards.map(String)],
      doing: "claiming outbox rows",
    }], where);
    const claimed = [...rows].sort((a, b) => Number(a["seq"]) - Number(b["seq"])).map(asOutboxRow);
    for (const { id, messageId } of claimed) this.#claimed.set(id, messageId);
    return claimed;
  }

  async settle(outcomes: readonly OutboxOutcome[]): Promise<void> {
    if (this.#released) return;
    const published: string[] = [];
    const unpublished: Record<string, unknown> = {};
    for (const outcome of outcomes) {
      const messageId = this.#claimed.get(outcome.id);
      if (messageId === undefined) continue;
      this.#claimed.delete(outcome.id);
      if (outcome.status === "published") published.push(messageId);
      else unpublished[messageId] = this.#columns(outcome);
    }
    const statements = [
      ...(published.length > 0 ? [this.#marking(publishedText, published)] : []),
      ...(Object.keys(unpublished).length > 0 ? [this.#unpublished(unpublished)] : []),
    ];
    await exchange(this.#parts.connection, statements, this.#parts.where);
  }

  release(): Promise<void> {
    return this.#released ??= this.#release();
  }

  #marking(text: (names: Names) => string, messageIds: readonly string[]): Planned {
    const { names, clock, broker, holder } = this.#parts;
    return {
      text: text(names),
      values: [broker, holder, String(clock.now()), arrayText(messageIds)],
      doing: `marking ${messageIds.length} outbox rows`,
    };
  }

  #unpublished(outcomes: Record<string, unknown>): Planned {
    const marking = this.#marking(unpublishedText, Object.keys(outcomes));
    return { ...marking, values: [...marking.values, JSON.stringify(outcomes)] };
  }

  #columns(outcome: Exclude<OutboxOutcome, { readonly status: "published" }>): Record<string, unknown> {
    if (outcome.status === "held") return { status: "pending" };
    return {
      status: outcome.status,
      last_error: this.#lastError(outcome),
      ...(outcome.status === "failed" ? { retry_at: outcome.retryAt } : {}),
    };
  }

  /** As in wire 3.6; the server adds the count. A NUL character cannot be stored. */
  #lastError({ status, error }: Tried): Record<string, unknown> {
    return {
      message: error.replaceAll("\0", "\ufffd"),
      failed_at: new Date(this.#parts.clock.now()).toISOString(),
      ...(status === "abandoned" ? { reason: "Max retries exceeded" } : {}),
    };
  }

  async #release(): Promise<void> {
    const { connection, giveBack } = this.#parts;
    try {
      await connection.run("select pg_advisory_unlock_all()", [], "simple");
    } catch (error) {
      connection.destroy(`its locks could not be given up: ${asError(error).message}`);
    }
    giveBack(connection);
  }
}

function asOutboxRow(row: Row): OutboxRow {
  return {
    id: String(row["seq"]),
    messageId: String(row["message_id"]),
    streamName: String(row["stream_name"]),
    type: String(row["type"]),
    data: String(row["data"]),
    metadata: String(row["metadata_"]),
    priority: Number(row["priority"]),
    retryCount: Number(row["retry_count"]),
    createdAt: Number(row["created_at"]),
  };
}
