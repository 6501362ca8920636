/**
 * Messages that handlers take together, as a subscription would give them: gathered until something else comes,
 * halved where they fail.
 *
 * @module
 */
import type { Batching, BatchMember, HandlerRunner, RunOptions } from "../domain/handler_port.ts";
import { asError } from "../errors.ts";
import type { FailedDelivery, PublishedMessage } from "./outcome.ts";

/** A message on its way to one handler, judged. */
export interface Arrival extends BatchMember {
  /** As failures tell of it. */
  readonly published: PublishedMessage;
}

interface Gathered {
  readonly batching: Batching;
  readonly arrivals: Arrival[];
}

export class Batches {
  readonly #gathered = new Map<HandlerRunner, Gathered>();
  readonly #guard: RunOptions;

  constructor(guard: RunOptions) {
    this.#guard = guard;
  }

  /** Delivers, now or with others later; returns what has failed by now. */
  async deliver(runner: HandlerRunner, arrival: Arrival): Promise<FailedDelivery[]> {
    const batching = runner.batching?.(arrival.plan);
    const gathered = this.#gathered.get(runner);
    if (gathered && gathered.batching === batching && gathered.arrivals.length < batching.size) {
      gathered.arrivals.push(arrival);
      return [];
    }
    const failures = await this.#flush(runner);
    if (batching) this.#gathered.set(runner, { batching, arrivals: [arrival] });
    else failures.push(...await this.#together(runner, [arrival]));
    return failures;
  }

  /** Delivers what was gathered; returns what has failed. */
  async flush(): Promise<FailedDelivery[]> {
    const failures: FailedDelivery[] = [];
    for (const runner of [...this.#gathered.keys()]) failures.push(...await this.#flush(runner));
    return failures;
  }

  async #flush(runner: HandlerRunner): Promise<FailedDelivery[]> {
    const gathered = this.#gathered.get(runner);
    this.#gathered.delete(runner);
    return gathered ? await this.#together(runner, gathered.arrivals) : [];
  }

  async #together(runner: HandlerRunner, arrivals: readonly Arrival[]): Promise<FailedDelivery[]> {
    const [first] = arrivals;
    if (!first) return [];
    if (arrivals.length === 1 || !runner.runTogether) return await this.#alone(runner, first);
    try {
      const results = await runner.runTogether(arrivals, this.#guard);
      const failures = results.flatMap((result, index): FailedDelivery[] => {
        const message = arrivals[index]?.published;
        return result.kind === "failed" && message
          ? [{ handler: runner.name, message, error: result.error }]
          : [];
      });
      const held = fresh(runner, arrivals.filter((_, index) => results[index]?.kind === "held"));
      return [...failures, ...await this.#together(runner, held)];
    } catch {
      const middle = Math.ceil(arrivals.length / 2);
      const again = fresh(runner, arrivals);
      const before = await this.#together(runner, again.slice(0, middle));
      return [...before, ...await this.#together(runner, again.slice(middle))];
    }
  }

  async #alone(runner: HandlerRunner, arrival: Arrival): Promise<FailedDelivery[]> {
    const { message, plan, options, published } = arrival;
    try {
      await runner.run(message, plan, { ...this.#guard, ...options });
      return [];
    } catch (error) {
      return [{ handler: runner.name, message: published, error: asError(error) }];
    }
  }
}

/** Read anew: the handler may have changed what it was given. */
function fresh(runner: HandlerRunner, arrivals: readonly Arrival[]): readonly Arrival[] {
  return arrivals.map((arrival) => {
    const message = arrival.options.again?.() ?? arrival.message;
    const verdict = runner.judge(message);
    return verdict.kind === "run" ? { ...arrival, message, plan: verdict.plan } : arrival;
  });
}
