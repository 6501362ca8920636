/**
 * The claim pass: finds pending entries that nobody works on and takes them over (PIPE-1, delivery 2).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { PendingEntry } from "../adapters/ports.ts";
import { Wakeup } from "../async/wakeup.ts";
import { asError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { StreamLane } from "./stream_lane.ts";
import type { Worker } from "./worker.ts";

const log = getLogger(["protean", "subscription"]);
const PAGE = 100;

export class Recovery {
  /** Lanes of which the last pass had to leave something, for want of room. */
  readonly #behind = new Set<StreamLane>();
  readonly #fellBehind = new Wakeup();
  /** Looks at a pending list come one after the other: what one is about to take is not unknown to the next. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly scope: SubscriptionScope, private readonly worker: Worker) {}

  /**
   * There is more to be taken over than there was room for: what is read meanwhile would overtake it (D6).
   * `inbox.changed` is notified when that ends.
   */
  get behind(): boolean {
    return this.#behind.size > 0;
  }

  /**
   * One pass over the pending list of all consumers; none during a pause, when others may get on with what is
   * left. Rejects when the broker does not answer.
   */
  async pass(lane: StreamLane): Promise<void> {
    const { settings: { claimIdleMs }, inbox, pause } = this.scope;
    if (pause.on) return;
    let whole = true;
    try {
      const scan = () =>
        this.#scan(lane, { minIdleMs: claimIdleMs }, claimIdleMs, (delivery) => this.#admit(delivery));
      whole = await this.#inTurn(scan);
    } finally {
      // Where the broker does not answer, the read loop may find that out.
      if (whole) this.#behind.delete(lane);
      else this.#behind.add(lane);
      this.#fellBehind.notify();
      inbox.changed.notify();
    }
  }

  /**
   * Takes what earlier passes had to leave as soon as there is room for it, until `signal` aborts. Never
   * rejects.
   */
  async catchUp(signal: AbortSignal): Promise<void> {
    const { inbox, name, pause } = this.scope;
    while (!signal.aborted) {
      const [lane] = this.#behind;
      // The inbox changes with every message: whoever has nothing to wait for there stays away from it.
      if (lane === undefined) await this.#fellBehind.wait({ signal });
      else if (pause.on || !this.#hasRoom) await inbox.changed.wait({ signal });
      else {
        await this.pass(lane).catch((error) =>
          log.debug("subscription.claim_deferred", { subscription: name, error: asError(error).message })
        );
      }
    }
  }

  /**
   * Takes what is pending on our own consumer and unknown to us. Only between reads: a reply in flight is not
   * lost yet.
   */
  async own(lane: StreamLane): Promise<void> {
    await this.#inTurn(() =>
      this.#scan(lane, { consumer: lane.group.consumer }, 0, (delivery) => {
        delivery.attempts.neverHeardOf();
        this.#admit(delivery);
      })
    );
  }

  get #hasRoom(): boolean {
    const { inbox } = this.scope;
    return inbox.unfinished < 2 * inbox.room;
  }

  #inTurn<T>(scan: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(scan);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Decodes a claimed delivery and makes younger messages of its stream wait. */
  #admit(delivery: Delivery): void {
    delivery.suspect = delivery.attempts.suspicious(this.scope.settings.maxDeliveries);
    if (this.worker.judge(delivery).kind === "run") this.scope.inbox.enter(delivery);
  }

  /** Returns whether it came to the end of the pending list: it stops where there is no room for more. */
  async #scan(
    lane: StreamLane,
    filter: { minIdleMs?: number; consumer?: string },
    minIdleMs: number,
    admit: (delivery: Delivery) => void,
  ): Promise<boolean> {
    let after: string | undefined;
    while (this.#hasRoom) {
      const found = await lane.group.pending({
        ...filter,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      await this.#claim(lane, found, minIdleMs, admit);
      const last = found.at(-1);
      if (!last || found.length < PAGE) return true;
      after = last.id;
    }
    return false;
  }

  async #claim(
    lane: StreamLane,
    found: readonly PendingEntry[],
    minIdleMs: number,
    admit: (delivery: Delivery) => void,
  ): Promise<void> {
    const { inbox, figures } = this.scope;
    const { group } = lane;
    const known = found.some((entry) => entry.consumer === group.consumer) ? inbox.openIds(lane) : undefined;
    const suspects = found.filter((entry) => entry.consumer !== group.consumer || !known?.has(entry.id));
    if (suspects.length === 0) return;
    const claimed = await group.claim(
      suspects.map(({ id, consumer }) => ({ id, from: consumer })),
      minIdleMs,
    );
    const trimmed = claimed.filter((entry) => entry.trimmed).length;
    const taken = claimed.filter((entry) => !entry.trimmed);
    if (trimmed > 0) figures.happened("trimmed", trimmed);
    if (taken.length > 0) {
      figures.happened("recovered", taken.length);
      inbox.addClaimed(lane, taken, admit);
    }
    if (claimed.length > 0) {
      log.info("subscription.entries_claimed", {
        stream: group.stream,
        group: group.group,
        claimed: taken.length,
        trimmed,
      });
    }
  }
}
