/**
 * `ctx.repository(Aggregate)`: the stored aggregates of one kind, within one unit of work.
 *
 * @module
 */
import { IncorrectUsageError, ObjectNotFoundError } from "../../errors.ts";
import type { AggregateDefinition } from "../elements/aggregate.ts";
import { AggregateInstance } from "../elements/instance.ts";
import type { Instance, Repository, Schema } from "../types.ts";
import type { Work } from "./work.ts";

export class WorkRepository<S extends Schema, A extends string> implements Repository<S, A> {
  readonly #work: Work;
  readonly #definition: AggregateDefinition;

  constructor(work: Work, definition: AggregateDefinition<S, A>) {
    this.#work = work;
    // The unit of work holds aggregates of all kinds; what goes in through here comes out as the same type.
    this.#definition = definition as unknown as AggregateDefinition;
  }

  async get(id: string): Promise<Instance<S, A>> {
    const found = await this.find(id);
    if (found) return found;
    throw new ObjectNotFoundError(
      `There is no ${this.#definition.name} '${id.slice(0, 100)}': use find(…) where it may be missing.`,
    );
  }

  async find(id: string): Promise<Instance<S, A> | undefined> {
    return await this.#work.find(this.#definition, id) as Instance<S, A> | undefined;
  }

  async getMany(ids: readonly string[]): Promise<ReadonlyMap<string, Instance<S, A>>> {
    return await this.#work.findMany(this.#definition, ids) as ReadonlyMap<string, Instance<S, A>>;
  }

  async add(instance: Instance<S, A>): Promise<void> {
    await this.#work.save(this.#definition, this.#own(instance));
  }

  async remove(instance: Instance<S, A>): Promise<void> {
    await this.#work.remove(this.#definition, this.#own(instance));
  }

  #own(instance: unknown): AggregateInstance {
    if (instance instanceof AggregateInstance && instance.aggregate === this.#definition) return instance;
    const { name } = this.#definition;
    throw new IncorrectUsageError(
      `Only instances of ${name} go into its repository: make them with ${name}.create(…).`,
    );
  }
}
