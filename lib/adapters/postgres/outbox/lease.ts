/**
 * Shards of the outbox in the hands of one processor (delivery 9): session advisory locks, and every
 * statement on the session that has them. So whoever has lost the locks cannot record a row as published any
 * more, and a holder that dies lets go at once.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../async/clock.ts";
import { asError, ProviderUnavailableError, RefusedError, UnavailableError } from "../../../errors.ts";
import { fairShare } from "../../outbox_share.ts";
import { LeaseHeartbeat } from "../../lease_heartbeat.ts";
import type { OutboxLease, OutboxOutcome, OutboxRow } from "../../ports.ts";
import type { Connection, Row } from "../connection/connection.ts";
import type { Where } from "../connection/errors.ts";
import { ClaimFloor, type Question } from "./claim_floor.ts";
import {
  claimFewText,
  claimText,
  endStillText,
  letGoText,
  nextDueText,
  publishedText,
  standingText,
  standText,
  takeFreeText,
  unpublishedText,
} from "./lease_sql.ts";
import type { Names } from "../connection/names.ts";
import { OldTransactions, oldTransactionsText } from "./old_transactions.ts";
import { serverAhead } from "../server_clock.ts";
import { exchange, type Planned } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";

export interface LeaseParts {
  readonly connection: Connection;
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  readonly broker: string;
  /** Unique to this lease: rows `processing` under any other name were left by somebody who is gone. */
  readonly holder: string;
  /** Takes the connection back, its locks given up or itself destroyed. */
  readonly giveBack: (connection: Connection) => void;
}

const log = getLogger(["protean", "outbox"]);

/** So often it is looked whether the others move. */
const LOOK_AROUND_MS = 2_000;

/** A clock that is put by more is asked about again. */
const STEP_MS = 1_000;

type Tried = Extract<OutboxOutcome, { readonly error: string }>;

export class PostgresOutboxLease implements OutboxLease {
  readonly #parts: LeaseParts;
  readonly #heartbeat: LeaseHeartbeat;
  #shards: readonly number[] = [];
  readonly #floor: ClaimFloor;
  readonly #old: OldTransactions;
  /** When it was last looked for others that stand still, on the clock's monotonic scale. */
  #lookedAround = -Infinity;
  /** By how many ms the server's clock is ahead; every time in the table is the server's. */
  #ahead = 0;
  /** When the clock's monotonic scale began, by the clock: another number after somebody has put it. */
  #epoch = 0;
  /** When rows were last asked for, epoch ms by the server's clock. */
  #looked = 0;
  /** More is waiting than the last claim took. */
  #backlog = false;
  /** Message ids of the rows claimed and not settled, by id. */
  readonly #claimed = new Map<string, string>();
  #released: Promise<void> | undefined;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.#floor = new ClaimFloor(parts);
    this.#old = new OldTransactions(parts.clock, parts.where.name);
    this.#heartbeat = new LeaseHeartbeat(parts.clock, () => this.#beat());
  }

  get shards(): readonly number[] {
    return this.#shards;
  }

  assertHeld(): void {
    this.#heartbeat.assertHeld();
    const { connection, where } = this.#parts;
    if (!connection.lost) return;
    throw new ProviderUnavailableError(
      `Database '${where.name}' (${where.label}) has ended the session that held shards of the outbox: ` +
        "their rows are left to whoever holds them now.",
    );
  }

  /** Shows that there is one more, and takes its share. */
  async stand(): Promise<void> {
    await this.#askTime();
    await this.#run({ text: standText, values: [this.#lock], doing: "standing for shards of the outbox" });
    await this.share();
  }

  async share(): Promise<void> {
    if (this.#released) return;
    const [found] = await this.#run({
      text: standingText,
      values: [this.#lock],
      doing: "counting the processors of the outbox",
    });
    const standing = Number(found?.["standing"]);
    if (standing > 1) await this.#endStill();
    const fair = fairShare(standing);
    if (this.#shards.length > fair) await this.#letGo(this.#shards.slice(fair));
    else if (this.#shards.length < fair) await this.#takeFree(fair - this.#shards.length);
  }

  /** Their shards are free in a moment, for the next sharing. */
  async #endStill(): Promise<void> {
    const { clock, broker } = this.#parts;
    if (clock.monotonic() - this.#lookedAround < LOOK_AROUND_MS) return;
    this.#lookedAround = clock.monotonic();
    const ended = await this.#run({
      text: endStillText,
      values: [this.#lock],
      doing: "looking for processors of the outbox that stand still",
    });
    if (ended.length > 0) log.warn("outbox.still_processor_ended", { broker, sessions: ended.length });
  }

  async nextDue(): Promise<number | undefined> {
    if (this.#released || this.#shards.length === 0) return undefined;
    const { names, broker } = this.#parts;
    const [found] = await this.#run({
      text: nextDueText(names),
      values: [broker, String(this.#looked), arrayText(this.#shards.map(String))],
      doing: "looking for the next retry",
    });
    const due = found?.["due"];
    return typeof due === "number" ? Math.ceil(due - this.#ahead) : undefined;
  }

  async claim(limit: number): Promise<readonly OutboxRow[]> {
    if (this.#released || limit < 1 || this.#shards.length === 0) return [];
    const { clock } = this.#parts;
    if (Math.abs(clock.now() - clock.monotonic() - this.#epoch) > STEP_MS) await this.#askTime();
    this.#looked = this.#now();
    await this.#ask(this.#floor.recheck(this.#shards));
    const behind = [this.#floor.raise(this.#shards), this.#lookForOld()].filter((each) => each !== undefined);
    const statements = [this.#claiming(limit), ...behind.map(({ statement }) => statement)];
    const [rows = [], ...answers] = await this.#exchange(statements);
    this.#backlog = rows.length >= limit;
    this.#floor.claimed(rows.map((row) => ({ seq: Number(row["seq"]), shard: Number(row["shard"]) })));
    behind.forEach((question, index) => question.answered(answers[index] ?? []));
    const claimed = [...rows].sort((a, b) => Number(a["seq"]) - Number(b["seq"]))
      .map((row) => asOutboxRow(row, this.#ahead));
    for (const { id, messageId } of claimed) this.#claimed.set(id, messageId);
    return claimed;
  }

  /** Rows of a number claimed long ago may be open again. */
  reopened(): void {
    this.#floor.reopened();
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
    const recorded = published.length > 0 ? this.#recording(publishedText, published) : undefined;
    const works = [
      recorded ? this.#run(recorded) : undefined,
      Object.keys(unpublished).length > 0 ? this.#recordUnpublished(unpublished) : undefined,
    ];
    await Promise.allSettled(works);
    await Promise.all(works);
  }

  release(): Promise<void> {
    return this.#released ??= this.#release();
  }

  get #lock(): string {
    const { names, broker } = this.#parts;
    return String(names.lockKey(broker));
  }

  async #run(statement: Planned): Promise<readonly Row[]> {
    const [rows = []] = await this.#exchange([statement]);
    return rows;
  }

  #now(): number {
    return this.#parts.clock.now() + this.#ahead;
  }

  async #askTime(): Promise<void> {
    const { clock } = this.#parts;
    this.#epoch = clock.now() - clock.monotonic();
    this.#ahead = await serverAhead(clock, (statement) => this.#run(statement));
  }

  #lookForOld(): Question | undefined {
    const old = this.#old;
    if (!old.mayLook()) return undefined;
    const doing = "looking for old transactions";
    return {
      statement: { text: oldTransactionsText(), values: [], doing },
      answered: (rows) => old.found(rows),
    };
  }

  async #ask(question: Question | undefined): Promise<void> {
    if (question) question.answered(await this.#run(question.statement));
  }

  #claiming(limit: number): Planned {
    const { names, broker, holder } = this.#parts;
    const floor = this.#floor;
    const shards = this.#shards.map(String);
    const lows = this.#shards.map((shard) => String(floor.of(shard)));
    const { late } = floor;
    const isLate = late.length > 0;
    const bases = isLate ? this.#shards.map((shard) => String(floor.baseOf(shard))) : [];
    const asked = isLate ? [arrayText(late)] : [];
    const given = [broker, holder, String(this.#looked), String(limit)];
    const doing = "claiming outbox rows";
    if (this.#backlog) {
      const values = [...given, ...shards, ...lows, ...bases, ...asked];
      return { text: claimText(names, shards.length, isLate), values, doing };
    }
    const lists = [shards, lows, ...(isLate ? [bases] : [])].map(arrayText);
    return { text: claimFewText(names, isLate), values: [...given, ...lists, ...asked], doing };
  }

  /** The session was there when the statements were sent, if they have been answered. */
  async #exchange(statements: readonly Planned[]): Promise<readonly (readonly Row[])[]> {
    const { connection, where } = this.#parts;
    const sentAt = this.#heartbeat.moment();
    const replies = await exchange(connection, statements, where);
    this.#heartbeat.renewed(sentAt);
    return replies;
  }

  async #beat(): Promise<void> {
    await this.#run({ text: "select 1", values: [], doing: "keeping shards of the outbox" });
  }

  async #letGo(shards: readonly number[]): Promise<void> {
    // Whatever becomes of the statement, they are not claimed from any more.
    this.#shards = this.#shards.filter((shard) => !shards.includes(shard));
    this.#floor.letGo(shards);
    await this.#run({
      text: letGoText,
      values: [this.#lock, arrayText(shards.map(String))],
      doing: "letting shards of the outbox go",
    });
  }

  async #takeFree(count: number): Promise<void> {
    const taken = await this.#run({
      text: takeFreeText,
      values: [this.#lock, arrayText(this.#shards.map(String)), String(count)],
      doing: "taking free shards of the outbox",
    });
    this.#shards = [...this.#shards, ...taken.map((row) => Number(row["shard"]))].sort((a, b) => a - b);
  }

  #recording(text: (names: Names) => string, messageIds: readonly string[]): Planned {
    const { names, broker, holder } = this.#parts;
    return {
      text: text(names),
      values: [broker, holder, String(this.#now()), arrayText(messageIds)],
      doing: `recording ${messageIds.length} outbox rows`,
    };
  }

  #unpublished(outcomes: Record<string, unknown>): Planned {
    const recording = this.#recording(unpublishedText, Object.keys(outcomes));
    return { ...recording, values: [...recording.values, JSON.stringify(outcomes)] };
  }

  /**
   * All at once; where the database refuses something about a row, that one is found, and the others are
   * recorded: else they would be tried for ever with it.
   */
  async #recordUnpublished(outcomes: Record<string, unknown>): Promise<void> {
    try {
      await this.#run(this.#unpublished(outcomes));
    } catch (error) {
      if (error instanceof UnavailableError || error instanceof RefusedError) throw error;
      const all = Object.entries(outcomes);
      if (all.length === 1) {
        const [message_id] = all[0] ?? [];
        return log.error("outbox.row_not_recorded", { message_id, error: asError(error).message });
      }
      const half = Math.ceil(all.length / 2);
      for (const part of [all.slice(0, half), all.slice(half)]) {
        await this.#recordUnpublished(Object.fromEntries(part));
      }
    }
  }

  #columns(outcome: Exclude<OutboxOutcome, { readonly status: "published" }>): Record<string, unknown> {
    if (outcome.status === "held") return { status: "pending" };
    return {
      status: outcome.status,
      last_error: this.#lastError(outcome),
      counted: outcome.status === "failed" && outcome.uncounted ? 0 : 1,
      ...(outcome.status === "failed" ? { retry_at: outcome.retryAt + this.#ahead } : {}),
    };
  }

  /** As in wire 3.6; the server adds the count. A NUL character and half a character cannot be stored. */
  #lastError({ status, error }: Tried): Record<string, unknown> {
    return {
      message: error.toWellFormed().replaceAll("\0", "\ufffd"),
      failed_at: new Date(this.#now()).toISOString(),
      ...(status === "abandoned" ? { reason: "Max retries exceeded" } : {}),
    };
  }

  async #release(): Promise<void> {
    const { connection, giveBack } = this.#parts;
    await this.#heartbeat.stop();
    try {
      await connection.run("select pg_advisory_unlock_all()", [], "simple");
    } catch (error) {
      connection.destroy(`its locks could not be given up: ${asError(error).message}`);
    }
    giveBack(connection);
  }
}

function asOutboxRow(row: Row, ahead: number): OutboxRow {
  return {
    id: String(row["seq"]),
    messageId: String(row["message_id"]),
    streamName: String(row["stream_name"]),
    type: String(row["type"]),
    data: String(row["data"]),
    metadata: String(row["metadata_"]),
    priority: Number(row["priority"]),
    ...(row["partition_key"] !== null && { partitionKey: String(row["partition_key"]) }),
    retryCount: Number(row["retry_count"]),
    createdAt: Math.floor(Number(row["created_at"]) - ahead),
  };
}
