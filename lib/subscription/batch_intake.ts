/**
 * Which deliveries make a batch: what is there, in its order, and what comes while the first may still wait.
 *
 * @module
 */
import type { Batching, Verdict } from "../domain/handler_port.ts";
import type { Delivery } from "./delivery.ts";
import type { Judge } from "./judge.ts";
import { isLarge } from "./judge.ts";
import type { SubscriptionScope } from "./scope.ts";
import { bringText } from "./texts.ts";

/** Text that one batch has, in UTF-16 units; a single message may have more. */
export const MOST_BATCH_SIZE = 4 * 1024 * 1024;

/**
 * Whether it may be worked on with others. What was found pending, has failed, or was postponed runs alone: it
 * may be what makes a batch fail.
 */
export function isBatchable(delivery: Delivery): boolean {
  const { attempts, suspect, firstFailedAt, notBefore } = delivery;
  return !suspect && !attempts.recovered && firstFailedAt === undefined && notBefore === 0 &&
    attempts.postponed === 0 && attempts.outages === 0 && (!attempts.started || attempts.counted);
}

/** What it is handed back as that is taken and is none of the batch. */
export type Skip = (delivery: Delivery, verdict: Exclude<Verdict, { kind: "run" }>) => Promise<void>;

export class BatchIntake {
  readonly #scope: SubscriptionScope;
  readonly #judge: Judge;
  readonly #skip: Skip;
  readonly #batching: Batching;
  readonly #members: Delivery[] = [];
  /** Of each key the last one. */
  readonly #mates = new Map<string, Delivery>();
  readonly #skipping: Promise<void>[] = [];
  #size = 0;
  #others = false;

  /** `first` is inside. */
  constructor(scope: SubscriptionScope, judge: Judge, skip: Skip, batching: Batching, first: Delivery) {
    this.#scope = scope;
    this.#judge = judge;
    this.#skip = skip;
    this.#batching = batching;
    this.#add(first);
    this.#take();
  }

  /**
   * Resolves with the batch once it is full, has waited as long as it may, or nothing more can come: something
   * that is none of it waits, no more is read, or nothing is to be started any more. Rejects where a source does
   * not answer; `members` are those it has taken.
   */
  async filled(): Promise<readonly Delivery[]> {
    const { inbox, clock, pause, stopped } = this.#scope;
    const end = clock.monotonic() + this.#batching.maxWaitMs;
    await this.#bring();
    while (this.#hasRoom && !this.#others && !stopped.aborted && !pause.on && !inbox.full) {
      const ms = end - clock.monotonic();
      if (ms <= 0) break;
      await inbox.changed.wait({ signal: stopped, clock, ms });
      if (stopped.aborted) break;
      this.#take();
      await this.#bring();
    }
    await Promise.all(this.#skipping);
    return this.#members;
  }

  get members(): readonly Delivery[] {
    return this.#members;
  }

  get #hasRoom(): boolean {
    return this.#members.length < this.#batching.size && this.#size < MOST_BATCH_SIZE;
  }

  /** Takes what is there. */
  #take(): void {
    const { inbox } = this.#scope;
    const others: Delivery[] = [];
    while (this.#hasRoom) {
      const next = inbox.takeFitting((delivery) =>
        isBatchable(delivery) && !delivery.parked && !isLarge(delivery) &&
        this.#size + delivery.size <= MOST_BATCH_SIZE
      );
      if (!next) break;
      const verdict = next.verdict ?? this.#judge.atOnce(next);
      if (verdict.kind !== "run") {
        this.#skipping.push(this.#skip(next, verdict));
        continue;
      }
      const isMember = this.#fits(verdict);
      const mate = this.#mates.get(next.key);
      const isInside = next.inside || (mate && isMember ? inbox.enterWith(mate, next) : inbox.enter(next));
      if (!isInside) continue;
      if (isMember) this.#add(next);
      else others.push(next);
    }
    for (const other of others) inbox.resume(other);
    this.#others ||= others.length > 0;
  }

  #fits(verdict: Verdict | undefined): boolean {
    return verdict?.kind === "run" && this.#scope.runner.batching?.(verdict.plan) === this.#batching;
  }

  #add(delivery: Delivery): void {
    this.#members.push(delivery);
    this.#size += delivery.size;
    this.#mates.set(delivery.key, delivery);
    this.#follow(delivery.key);
  }

  /** Those that wait behind a member come along. Returns whether some did. */
  #follow(key: string): boolean {
    const { inbox } = this.#scope;
    const before = this.#members.length;
    for (let next = inbox.nextBehind(key); next && this.#hasRoom; next = inbox.nextBehind(key)) {
      const mate = this.#mates.get(key);
      if (!mate || next.parked || next.ended || !isBatchable(next) || isLarge(next)) break;
      if (this.#size + next.size > MOST_BATCH_SIZE) break;
      if (!this.#fits(next.verdict ?? this.#judge.atOnce(next))) break;
      inbox.follow(mate, next);
      this.#members.push(next);
      this.#size += next.size;
      this.#mates.set(key, next);
    }
    return this.#members.length > before;
  }

  /** Brings the texts of those that wait behind members and were let go. */
  async #bring(): Promise<void> {
    const { inbox, stopped } = this.#scope;
    for (const [key, mate] of [...this.#mates]) {
      let last = mate;
      while (this.#hasRoom && inbox.nextBehind(key)?.parked && !stopped.aborted) {
        await bringText(inbox, last);
        if (!this.#follow(key)) break;
        last = this.#mates.get(key) ?? last;
      }
    }
  }
}
