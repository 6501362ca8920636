/**
 * Aggregates as declared.
 *
 * @module
 */
import { IncorrectUsageError, NotSupportedError } from "../../errors.ts";
import { aggregateCategory, commandCategory, underscore } from "../../message/names.ts";
import type { AggregateOptions } from "../options.ts";
import { assertName, type DomainIdentity } from "./identity.ts";
import type { AggregateStore } from "./aggregate_store.ts";
import { AggregateInstance, type InstanceAggregate } from "./instance.ts";
import { RowStore } from "./row_store.ts";
import type { AggregateType, In, Instance, Schema } from "../types.ts";

export class AggregateDefinition<S extends Schema = Schema, A extends string = string>
  implements AggregateType<S, A>, InstanceAggregate<S, A> {
  readonly domain: DomainIdentity;
  readonly name: A;
  readonly schema: S;
  /** Field that identifies an instance. */
  readonly identity: string;
  /** `my_domain::order`. */
  readonly category: string;
  /** `my_domain::order:command`. */
  readonly commandCategory: string;
  /** `protean_my_domain_order` (delivery 17). */
  readonly table: string;
  /** How its instances are stored. */
  readonly store: AggregateStore;

  constructor(domain: DomainIdentity, name: A, options: AggregateOptions<S>) {
    assertName("aggregate", name);
    if (options.eventSourced) {
      throw new NotSupportedError(
        `Aggregate ${name} is declared with eventSourced: true, and this version stores state only: leave the option out.`,
      );
    }
    this.domain = domain;
    this.name = name;
    this.schema = options.schema;
    this.identity = options.identity ?? "id";
    const { streamCategory } = options;
    if (streamCategory !== undefined) assertCategory(name, streamCategory);
    this.category = streamCategory === undefined
      ? aggregateCategory(domain.name, name)
      : `${domain.normalizedName}::${streamCategory}`;
    this.commandCategory = commandCategory(this.category);
    this.table = `protean_${domain.normalizedName}_${underscore(name)}`;
    // A store holds aggregates of any schema; what goes in through a definition comes out as its type.
    this.store = new RowStore(this as unknown as InstanceAggregate, this.table);
  }

  create(state: In<S>): Instance<S, A> {
    return AggregateInstance.create<S, A>(this, state);
  }
}

function assertCategory(name: string, streamCategory: string): void {
  if (streamCategory === "" || streamCategory.includes("-")) {
    throw new IncorrectUsageError(
      `The streamCategory of aggregate ${name} must be a text without '-', which ends a category: it is '${streamCategory}'.`,
    );
  }
}

/**
 * The definition behind a public aggregate type. Throws `IncorrectUsageError` for what no domain has made.
 */
export function aggregateOf<S extends Schema, A extends string>(
  aggregate: AggregateType<S, A>,
): AggregateDefinition<S, A> {
  if (aggregate instanceof AggregateDefinition) return aggregate;
  throw new IncorrectUsageError("This is not an aggregate: use what domain.aggregate(…) returned.");
}
