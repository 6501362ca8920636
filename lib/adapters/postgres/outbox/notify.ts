/**
 * Hints that the outbox has new rows: within this process at once, to other processes by a NOTIFY outside of
 * every transaction, where it would make commits wait for each other (OBX-2). However many commits there are,
 * at most one NOTIFY is sent in 5 ms. A hint may be late, doubled or missing: the poll is the truth.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../async/clock.ts";
import { asError } from "../../../errors.ts";
import { quoted } from "../connection/names.ts";
import type { SideConnection } from "../connection/side_connection.ts";
import type { Planned } from "../connection/statement.ts";

const log = getLogger(["protean", "postgres"]);

const INTERVAL_MS = 5;
/** Payload: rows that were claimed long ago may be claimed again. */
const REOPENED = "reopened";

export interface HintsOptions {
  readonly clock: Clock;
  readonly channel: string;
  /** False: other processes are left to their poll. */
  readonly notify: boolean;
  readonly side: SideConnection;
  /** Called where rows that were claimed long ago may be claimed again; watchers are woken behind it. */
  readonly onReopened: () => void;
}

export class Hints {
  readonly #options: HintsOptions;
  /** Tells our own notifications, which everybody who listens receives, from those of others. */
  readonly #token = crypto.randomUUID();
  readonly #watchers = new Set<{ readonly wake: () => void }>();
  #news = false;
  #sending = false;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(options: HintsOptions) {
    this.#options = options;
  }

  /** Calls `wake` at every hint. Returns the way to stop it. */
  watch(wake: () => void): () => void {
    const watcher = { wake };
    this.#watchers.add(watcher);
    if (this.#options.notify && !this.#closed) this.#options.side.keep();
    return () => void this.#watchers.delete(watcher);
  }

  /** Rows were committed by this process. */
  committed(): void {
    this.wake();
    this.#news = true;
    this.#send();
  }

  /**
   * What tells other processes that rows are open again. It goes with the transaction that has opened them:
   * that is rare, and its process may end right behind it. Undefined: they are left to their own looks.
   */
  get reopening(): Planned | undefined {
    const { notify, channel } = this.#options;
    if (!notify) return undefined;
    return { text: `notify ${quoted(channel)}, '${REOPENED}'`, values: [], doing: "telling the processors" };
  }

  /** Rows may be open again; also where a notification of it may have been missed. */
  reopened(): void {
    this.#options.onReopened();
    this.wake();
  }

  /** A notification has come in. */
  received(payload: string): void {
    if (payload === REOPENED) this.reopened();
    else if (payload !== this.#token) this.wake();
  }

  /** There may be rows. */
  wake(): void {
    for (const { wake } of [...this.#watchers]) {
      try {
        wake();
      } catch (error) {
        log.error("outbox.watcher_failed", { error: asError(error).message });
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#watchers.clear();
    this.#cancelTimer?.();
  }

  #send(): void {
    const { notify, clock } = this.#options;
    if (!notify || this.#closed || !this.#news || this.#sending || this.#cancelTimer) return;
    this.#news = false;
    this.#sending = true;
    void this.#notify().finally(() => {
      this.#sending = false;
      if (this.#closed) return;
      this.#cancelTimer = clock.after(INTERVAL_MS, () => {
        this.#cancelTimer = undefined;
        this.#send();
      });
    });
  }

  async #notify(): Promise<void> {
    const { side, channel } = this.#options;
    try {
      const connection = await side.get();
      await connection.run(`notify ${quoted(channel)}, '${this.#token}'`, [], "simple");
    } catch (error) {
      log.debug("outbox.hint_lost", { error: asError(error).message });
    }
  }
}
