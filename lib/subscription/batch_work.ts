/**
 * What happens to deliveries that are handled together: gathered, started, run in one unit of work and
 * acknowledged together. A batch that fails is halved until what fails stands alone, which is then a delivery
 * like any other.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { abortable } from "../async/abort.ts";
import type { Batching, BatchMember, BatchResult } from "../domain/handler_port.ts";
import { undecided } from "../domain/decision.ts";
import { asError, UnavailableError } from "../errors.ts";
import { errorLine, logLine } from "../message/describe_error.ts";
import { BatchGuard } from "./batch_guard.ts";
import { BatchIntake, type Skip } from "./batch_intake.ts";
import type { Delivery } from "./delivery.ts";
import type { Judge } from "./judge.ts";
import { outageOf } from "./outage.ts";
import type { Ownership } from "./ownership.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { Source } from "./source.ts";

const log = getLogger(["protean", "subscription"]);

/** The steps that each delivery takes by itself. */
export interface DeliverySteps {
  readonly skip: Skip;
  /** Its handler runs, with it alone. */
  run(delivery: Delivery): Promise<void>;
  /** What it has to wait for that this process is publishing. */
  publishing(delivery: Delivery): Promise<void> | undefined;
  succeeded(delivery: Delivery, kind: "handled" | "duplicate"): Promise<void> | void;
  failed(delivery: Delivery, error: Error): Promise<void>;
  lost(delivery: Delivery): void;
  sourceFailed(delivery: Delivery, error: Error): void;
}

export class BatchWork {
  constructor(
    private readonly scope: SubscriptionScope,
    private readonly ownership: Ownership,
    private readonly judge: Judge,
    private readonly steps: DeliverySteps,
  ) {}

  /**
   * Works on `first`, which is inside, and on what may be handled with it, until each has an outcome or waits for
   * something. Takes what is there before it returns. Rejects with a defect alone.
   */
  async deliver(first: Delivery, batching: Batching): Promise<void> {
    const { inbox, stopped, pause } = this.scope;
    const intake = new BatchIntake(this.scope, this.judge, this.steps.skip, batching, first);
    try {
      await intake.filled();
      await this.#ready(intake.members);
    } catch (error) {
      return this.#deferred(intake.members, asError(error));
    }
    const members = this.#owned(intake.members);
    // What has not begun is handed back as it is.
    if (stopped.aborted) return;
    if (pause.on) return inbox.putBack(members);
    await this.#work(members);
  }

  /** Resolves when all of them may be started. Rejects where a source does not answer. */
  async #ready(members: readonly Delivery[]): Promise<void> {
    const { stopped } = this.scope;
    const publishing = members.flatMap((delivery) => this.steps.publishing(delivery) ?? []);
    const waits = [...publishing, ...[this.ownership.assured() ?? []].flat()];
    if (waits.length > 0) {
      await abortable(Promise.all(waits), stopped).catch((error) => {
        if (!stopped.aborted) throw error;
      });
    }
    // Those that are begun once more have been ours, and may not be any longer.
    const again = new Map<Source, Delivery[]>();
    for (const delivery of members) {
      if (!delivery.attempts.started) continue;
      const { source } = delivery.batch.lane;
      again.set(source, [...again.get(source) ?? [], delivery]);
    }
    for (const [source, deliveries] of again) {
      const lost = new Set(await source.refresh(deliveries.map(({ id }) => id)));
      for (const delivery of deliveries) if (lost.has(delivery.id)) this.steps.lost(delivery);
    }
  }

  /** Those that may be started. */
  #owned(members: readonly Delivery[]): readonly Delivery[] {
    for (const delivery of members) if (delivery.ended === "lost") this.steps.lost(delivery);
    return members.filter(({ stage, ended }) => stage !== "done" && ended === undefined);
  }

  /** One of each key is tried again after a while, the others follow it. */
  #deferred(members: readonly Delivery[], error: Error): void {
    const { inbox } = this.scope;
    const open = this.#owned(members);
    const leading = open.filter((delivery) => inbox.leads(delivery));
    inbox.putBack(open.filter((delivery) => !leading.includes(delivery)));
    for (const delivery of leading) this.steps.sourceFailed(delivery, error);
  }

  async #work(members: readonly Delivery[]): Promise<void> {
    const { stopped, pause } = this.scope;
    const open: (readonly Delivery[])[] = [members];
    /** Together at the end, lest a later one comes before an earlier one of its key. */
    const back = new Set<Delivery>();
    for (let next = open.shift(); next; next = open.shift()) {
      const isBegun = next !== members;
      if (isBegun && (stopped.aborted || pause.on)) {
        for (const delivery of [next, ...open].flat()) back.add(delivery);
        break;
      }
      const group = this.#startable(next, back);
      const [only] = group;
      if (!only) continue;
      if (group.length > 1) {
        const left = await this.#run(group, back);
        if (left === "over") break;
        open.unshift(...left);
      } else await this.steps.run(only);
    }
    this.scope.inbox.putBack(this.#owned(members.filter((delivery) => back.has(delivery))));
  }

  /** Those of a group that may be started; what is behind one of its key that waits for something goes `back`. */
  #startable(group: readonly Delivery[], back: Set<Delivery>): readonly Delivery[] {
    const { inbox } = this.scope;
    const keys = new Set<string>();
    const startable: Delivery[] = [];
    for (const delivery of this.#owned(group)) {
      if (!keys.has(delivery.key) && !inbox.leads(delivery)) back.add(delivery);
      else {
        keys.add(delivery.key);
        startable.push(delivery);
      }
    }
    for (const delivery of startable) if (!delivery.message) this.judge.atOnce(delivery);
    return startable;
  }

  /** Runs a group. Returns the groups that are left of it; `over`: the drain has ended it. */
  async #run(
    group: readonly Delivery[],
    back: Set<Delivery>,
  ): Promise<readonly (readonly Delivery[])[] | "over"> {
    const { runner, inbox, clock } = this.scope;
    for (const delivery of group) {
      inbox.start(delivery);
      delivery.startedAt = clock.monotonic();
    }
    const guard = new BatchGuard(group);
    try {
      const results = await runner.runTogether?.(group.map(asMember), guard) ?? [];
      guard.close();
      if (group.some(({ ended }) => ended === "abandoned")) return "over";
      await this.#conclude(group, results, back);
      return [];
    } catch (error) {
      guard.close();
      return this.#failed(group, asError(error), back);
    }
  }

  async #conclude(
    group: readonly Delivery[],
    results: readonly BatchResult[],
    back: Set<Delivery>,
  ): Promise<void> {
    const concluding: (Promise<void> | void)[] = [];
    const failed: [Delivery, Error][] = [];
    group.forEach((delivery, index) => {
      const result = results[index] ?? { kind: "held" };
      if (result.kind === "held") {
        delivery.forget();
        back.add(delivery);
      } else if (result.kind === "failed") failed.push([delivery, result.error]);
      else if (delivery.ended === "lost") this.steps.lost(delivery);
      else concluding.push(this.steps.succeeded(delivery, result.kind));
    });
    for (const [delivery, error] of failed) concluding.push(this.steps.failed(delivery, error));
    await Promise.all(concluding);
  }

  #failed(
    group: readonly Delivery[],
    error: Error,
    back: Set<Delivery>,
  ): readonly (readonly Delivery[])[] | "over" {
    const { runner, pause, inbox } = this.scope;
    if (group.some(({ ended }) => ended === "cut" || ended === "abandoned")) return "over";
    // The handler may have changed what it was given.
    for (const delivery of group) delivery.forget();
    // Somebody else has some of it: the others are done without.
    if (group.some(({ ended }) => ended === "lost")) return [group];
    const facts = { handler: runner.name, messages: group.length, error: logLine(error) };
    log.debug("subscription.batch_failed", { ...facts, error: errorLine(error) });
    const outage = outageOf(undecided(error));
    const [first, second] = group.filter((delivery) => inbox.leads(delivery));
    // No connection was had: no message is to blame, and two show that it is everybody's.
    if (outage?.error instanceof UnavailableError && outage.error.isUnreached && first) {
      for (const delivery of second ? [first, second] : [first]) pause.failed(delivery, outage, facts);
      for (const delivery of group) if (delivery !== first && delivery !== second) back.add(delivery);
      return [];
    }
    const middle = Math.ceil(group.length / 2);
    return [group.slice(0, middle), group.slice(middle)];
  }
}

function asMember(delivery: Delivery): BatchMember {
  const { message, verdict, key } = delivery;
  if (!message || verdict?.kind !== "run") {
    throw new Error(`Entry ${delivery.id} is started before it was judged.`);
  }
  return { message, plan: verdict.plan, key, options: delivery };
}
