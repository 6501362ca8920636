/**
 * The figures of an initialised domain, from its adapters. Nothing of it writes.
 *
 * @module
 */
import { OUTBOX_STATUSES, type OutboxStatus, type Rollup } from "../adapters/ports.ts";
import { deadline } from "../async/abort.ts";
import { placesOf, subscribed } from "../dlq/places.ts";
import { lookAtQueues } from "../dlq/queue_figures.ts";
import { DeadLetterQueues, type QueuedLetter } from "../dlq/queues.ts";
import { managedProviders, subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError, NotSupportedError } from "../errors.ts";
import { componentsOf } from "../health/components.ts";
import { collectStatus } from "../status/collect.ts";
import { Inquiry } from "../status/inquiry.ts";
import { withStatus } from "../subscription/settings/status_runtime.ts";
import { redisFigures } from "./redis_figures.ts";
import { PATIENCE_MS, Recent } from "./recent.ts";
import type {
  ComponentFigures,
  Found,
  HealthFigures,
  LetterList,
  LetterQuery,
  ObservatorySource,
  QueueFigures,
} from "./source.ts";
import { Unborn } from "./unborn.ts";
import { type Worker, workersOf } from "./workers.ts";

/** How long one figure is waited for: two in a row stay within the patience of who asks. */
const FIGURE_MS = 1_500;
/** So long a database may take to count its outbox. */
const LONG_MS = 30_000;
/** Behind a failure: why it may be. */
const REASON_MS = 400;
/** Letters that one question to the queues returns at most. */
const PAGE = 200;

export class DomainSource implements ObservatorySource {
  readonly domain: string;
  readonly #runtime: ReturnType<typeof withStatus>;
  readonly #queues: DeadLetterQueues;
  readonly #unborn: Unborn;
  readonly #health: Recent<HealthFigures>;
  readonly #rows: Recent<Awaited<ReturnType<ObservatorySource["rows"]>>>;
  readonly #outbox: Recent<Readonly<Record<OutboxStatus, number>>>;
  readonly #workers: Recent<readonly Worker[]>;
  readonly #depths: Recent<Found<readonly QueueFigures[]>>;

  constructor(runtime: DomainRuntime) {
    const { clock } = runtime;
    this.domain = runtime.name;
    this.#runtime = withStatus(runtime);
    this.#queues = DeadLetterQueues.of(runtime);
    this.#unborn = new Unborn(runtime, REASON_MS);
    const isWhole = ({ reasons }: Found<unknown>) => reasons.length === 0;
    this.#health = new Recent(
      () => this.#readHealth(),
      clock,
      ({ components }) => components.every(({ status }) => status === "ok"),
    );
    this.#rows = new Recent(() => this.#unborn.explained(() => this.#readRows()), clock, isWhole);
    this.#outbox = new Recent(() => this.#unborn.explained(() => this.#readOutbox()), clock);
    this.#workers = new Recent(() => this.#readWorkers(), clock);
    this.#depths = new Recent(() => this.#readQueues(), clock, isWhole);
  }

  health(): Promise<HealthFigures> {
    return this.#health.get();
  }

  rows(): ReturnType<ObservatorySource["rows"]> {
    return this.#rows.get();
  }

  outbox(): Promise<Readonly<Record<OutboxStatus, number>>> {
    return this.#outbox.get();
  }

  workers(): Promise<readonly Worker[]> {
    return this.#workers.get();
  }

  queues(): Promise<Found<readonly QueueFigures[]>> {
    return this.#depths.get();
  }

  async rollups(subscription: string, from: number, to: number): Promise<readonly Rollup[]> {
    const broker = subscriptionBroker(this.#runtime);
    const { rollups } = broker;
    if (!rollups) {
      throw new NotSupportedError(`Broker '${broker.name}' keeps no rollups: use one that does.`);
    }
    const read = () => rollups.read(subscription, from, to);
    return await this.#orNothing(() => deadline(read, PATIENCE_MS, this.#runtime.clock), []);
  }

  async letters(query: LetterQuery): Promise<LetterList> {
    return await this.#orNothing(() => this.#readLetters(query), { entries: [], total: 0 });
  }

  async letter(id: string, subscription: string | undefined): Promise<QueuedLetter> {
    const filter = subscription === undefined ? {} : { subscription };
    return await deadline(() => this.#queues.find(id, filter), PATIENCE_MS, this.#runtime.clock);
  }

  async #readLetters({ subscription, limit, offset }: LetterQuery): Promise<LetterList> {
    const filter = subscription === undefined ? {} : { subscription };
    return await deadline(
      async (signal) => {
        const total = await this.#queues.count(filter);
        const entries: QueuedLetter[] = [];
        let cursor: string | undefined;
        for (let at = 0; at < offset + limit;) {
          signal.throwIfAborted();
          const page = await this.#queues.list({
            ...filter,
            limit: Math.min(PAGE, offset + limit - at),
            ...(cursor !== undefined && { cursor }),
          });
          entries.push(...page.entries.slice(Math.max(0, offset - at)));
          at += page.entries.length;
          cursor = page.cursor;
          if (cursor === undefined) break;
        }
        return { entries, total };
      },
      PATIENCE_MS,
      this.#runtime.clock,
    );
  }

  /** Where nobody has ever run the domain its broker holds nothing. */
  async #orNothing<T>(read: () => T | Promise<T>, nothing: T): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (await this.#unborn.is(subscriptionBroker(this.#runtime))) return nothing;
      throw error;
    }
  }

  async #readHealth(): Promise<HealthFigures> {
    const { clock } = this.#runtime;
    const components = await Promise.all(
      componentsOf(this.#runtime).map(async ({ kind, name, ping }): Promise<ComponentFigures> => {
        try {
          await deadline(ping, FIGURE_MS, clock);
          return { kind, name, status: "ok" };
        } catch (error) {
          return { kind, name, status: "unavailable", error: asError(error).message };
        }
      }),
    );
    const broker = subscriptionBroker(this.#runtime);
    if (this.#runtime.config.config.brokers[broker.name]?.provider !== "redis") {
      return { components, redis: null };
    }
    const healthy = components.some(({ kind, name, status }) =>
      kind === "broker" && name === broker.name && status === "ok"
    );
    const facts = healthy
      ? await deadline((signal) => broker.serverFacts(signal), FIGURE_MS, clock).catch(() => undefined)
      : undefined;
    return { components, redis: redisFigures(healthy, facts) };
  }

  async #readRows(): ReturnType<ObservatorySource["rows"]> {
    const inquiry = this.#inquiry();
    const value = await collectStatus(this.#runtime, { ages: true, inquiry });
    return { value, reasons: await this.#unborn.inWords(inquiry.reasons) };
  }

  async #readOutbox(): Promise<Readonly<Record<OutboxStatus, number>>> {
    // Whoever asks is told after a while; a second count beside one that takes long would help nobody.
    const all = await Promise.all(
      managedProviders(this.#runtime).map(({ outbox }) =>
        deadline(() => outbox.stats(), LONG_MS, this.#runtime.clock)
      ),
    );
    const count = (status: OutboxStatus) => all.reduce((sum, { counts }) => sum + counts[status], 0);
    return Object.fromEntries(OUTBOX_STATUSES.map((status) => [status, count(status)])) as Record<
      OutboxStatus,
      number
    >;
  }

  async #readWorkers(): Promise<readonly Worker[]> {
    const { peers } = subscriptionBroker(this.#runtime);
    if (!peers) return [];
    const list = () => deadline(() => peers.list(), FIGURE_MS, this.#runtime.clock);
    return workersOf(await this.#orNothing(list, []), this.domain);
  }

  async #readQueues(): Promise<Found<readonly QueueFigures[]>> {
    const inquiry = this.#inquiry();
    const places = placesOf(subscribed(this.#runtime), this.#runtime.runners);
    const value = await lookAtQueues(places, inquiry);
    const found = { value, reasons: inquiry.reasons };
    if (found.value.length === 0) await this.#orNothing(() => inquiry.assertSome(), undefined);
    return found;
  }

  #inquiry(): Inquiry {
    return new Inquiry({ ms: FIGURE_MS, clock: this.#runtime.clock });
  }
}
