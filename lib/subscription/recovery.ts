/**
 * The claim pass: finds pending entries that nobody works on and takes them over (PIPE-1, delivery 2).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { ClaimedEntry, PendingEntry } from "../adapters/ports.ts";
import { BatchSize } from "../async/batch_size.ts";
import { Wakeup } from "../async/wakeup.ts";
import { asError } from "../errors.ts";
import { type Delivery, keyOf } from "./delivery.ts";
import { sizeOf } from "./entry_size.ts";
import { MOST_SIZE } from "./holdings.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { StreamLane } from "./stream_lane.ts";

const log = getLogger(["protean", "subscription"]);
const PAGE = 100;
/** Of what is pending on ourselves, nearly all of which is known. */
const OWN_PAGE = 1000;

export class Recovery {
  readonly #batch = new BatchSize({ most: PAGE, mostSize: MOST_SIZE, cautious: true });
  /** Lanes of which the last pass had to leave something, for want of room. */
  readonly #behind = new Set<StreamLane>();
  readonly #fellBehind = new Wakeup();
  /**
   * Looks at a pending list come one after the other: what one is about to take is not unknown to the next.
   */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly scope: SubscriptionScope) {}

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
    if (pause.holds) return;
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
      else if (pause.holds || inbox.overfull) await inbox.changed.wait({ signal });
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
    await this.#inTurn(() => {
      // What is known now stays known: no read is in flight, and the scan goes up the ids.
      const known = this.scope.inbox.openIds(lane);
      return this.#scan(lane, { consumer: lane.group.consumer, limit: OWN_PAGE }, 0, (delivery) => {
        delivery.attempts.neverHeardOf();
        this.#admit(delivery);
      }, known);
    });
  }

  #inTurn<T>(scan: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(scan);
    this.#turn = done.catch(() => {});
    return done;
  }

  /**
   * Makes younger messages of its stream wait. It is not decoded before its next start is counted: that may
   * be what killed its process.
   */
  #admit(delivery: Delivery): void {
    delivery.suspect = delivery.attempts.suspicious(this.scope.settings.maxDeliveries);
    delivery.key = keyOf(delivery);
    this.scope.inbox.enter(delivery);
  }

  /** Returns whether it came to the end of the pending list: it stops where there is no room for more. */
  async #scan(
    lane: StreamLane,
    filter: { minIdleMs?: number; consumer?: string; limit?: number },
    minIdleMs: number,
    admit: (delivery: Delivery) => void,
    known?: ReadonlySet<string>,
  ): Promise<boolean> {
    const { inbox } = this.scope;
    const { limit = PAGE } = filter;
    let after: string | undefined;
    while (!inbox.overfull) {
      const found = await lane.group.pending({
        ...filter,
        limit,
        ...(after === undefined ? {} : { after }),
      });
      await this.#claim(lane, found, minIdleMs, admit, known);
      const last = found.at(-1);
      if (!last || found.length < limit) return true;
      after = last.id;
    }
    return false;
  }

  async #claim(
    lane: StreamLane,
    found: readonly PendingEntry[],
    minIdleMs: number,
    admit: (delivery: Delivery) => void,
    ours: ReadonlySet<string> | undefined,
  ): Promise<void> {
    const { inbox, figures } = this.scope;
    const { group } = lane;
    const known = ours ??
      (found.some((entry) => entry.consumer === group.consumer) ? inbox.openIds(lane) : undefined);
    const suspects = found.filter((entry) =>
      entry.consumer !== group.consumer || !known?.has(entry.id) && !lane.mayBeComing(entry.idleMs)
    );
    if (suspects.length === 0) return;
    for (let at = 0; at < suspects.length;) {
      const some = suspects.slice(at, at + this.#batch.next);
      at += some.length;
      const claimed = await group.claim(
        some.map(({ id, consumer }) => ({ id, from: consumer })),
        minIdleMs,
        MOST_SIZE,
      );
      this.#batch.came(claimed.length, sizeOf(claimed));
      const taken = claimed.filter((entry) => !entry.trimmed);
      const trimmed = claimed.length - taken.length;
      if (trimmed > 0) figures.happened("trimmed", trimmed);
      if (taken.length > 0) {
        figures.happened("recovered", taken.length);
        await this.#takeIn(lane, taken, admit);
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

  /** In their order, so that each is entered behind the earlier ones of its key: that takes its text. */
  async #takeIn(
    lane: StreamLane,
    taken: readonly ClaimedEntry[],
    admit: (delivery: Delivery) => void,
  ): Promise<void> {
    const { inbox } = this.scope;
    const left = taken.findIndex(({ omitted }) => omitted !== undefined);
    inbox.addClaimed(lane, left < 0 ? taken : taken.slice(0, left), admit);
    let rest = left < 0 ? [] : taken.slice(left);
    while (rest.length > 0) {
      const texts = await lane.source.fetch?.(rest.map(({ id }) => id), MOST_SIZE) ?? [];
      const found = new Map(texts.map((entry) => [entry.id, entry]));
      const end = rest.findIndex(({ id }) => found.get(id)?.omitted !== undefined);
      const some = end < 0 ? rest : rest.slice(0, end);
      rest = rest.slice(some.length);
      const here = some.flatMap(({ id, count, postponed }) => {
        const entry = found.get(id);
        return entry ? [{ ...entry, count, postponed }] : [];
      });
      inbox.addClaimed(lane, here, admit);
      // What the stream does not hold any more leaves the pending list when it is touched.
      if (here.length < some.length) await lane.source.refresh(some.map(({ id }) => id));
    }
  }
}
