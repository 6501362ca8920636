/**
 * Projections as declared: read models kept in a database or in a cache.
 *
 * @module
 */
import { IncorrectUsageError, ValidationError } from "../../errors.ts";
import { parseExact } from "../../message/exact_numbers.ts";
import { underscore } from "../../message/names.ts";
import { isJsonObject } from "../../message/parse.ts";
import type { ProjectionOptions } from "../options.ts";
import { assertIdLength, assertName, type DomainIdentity, identityText } from "./identity.ts";
import { encodeStored, validate } from "./schema.ts";
import type { Out, ProjectionType, Schema } from "../types.ts";

export class ProjectionDefinition<S extends Schema = Schema> implements ProjectionType<S> {
  readonly name: string;
  readonly schema: S;
  /** Field that identifies a row. */
  readonly identity: string;
  /** `protean_my_domain_view_order_summary` (delivery 17). */
  readonly table: string;
  /** Name of the database that holds the rows, unless `cache` does. */
  readonly provider: string;
  readonly cache: string | undefined;

  constructor(readonly domain: DomainIdentity, name: string, options: ProjectionOptions<S>) {
    assertName("projection", name);
    if (options.cache !== undefined && options.provider !== undefined) {
      throw new IncorrectUsageError(
        `Projection ${name} names a provider and a cache: its rows can be in one of them.`,
      );
    }
    this.name = name;
    this.schema = options.schema;
    this.identity = options.identity ?? "id";
    this.table = `protean_${domain.normalizedName}_view_${underscore(name)}`;
    this.provider = options.provider ?? "default";
    this.cache = options.cache;
  }

  /** Cache key of a row; Python's own, so that both sides share the entries (wire 5). */
  cacheKey(id: string): string {
    return `${underscore(this.name)}:::${id}`;
  }

  /** Validates a row that is to be written; returns its id and the JSON text to store. */
  write(row: unknown): { readonly id: string; readonly text: string } {
    const what = `The row of projection ${this.name}`;
    const { json, text } = encodeStored(this.schema, row, what);
    const id = isJsonObject(json) && Object.hasOwn(json, this.identity)
      ? identityText(json[this.identity])
      : undefined;
    if (id === undefined) {
      const message = "must be a text that is not empty, or a number";
      throw new ValidationError(`${what} has no identity: ${this.identity}: ${message}.`, [{
        path: this.identity,
        message,
      }]);
    }
    assertIdLength(id, `The ${this.identity} of projection ${this.name}`, this.identity);
    return { id, text };
  }

  /** The row that a stored text holds. */
  read(id: string, text: string): Out<S> {
    return validate(this.schema, parseExact(text), `The stored row '${id}' of projection ${this.name}`);
  }
}

/**
 * The definition behind a public projection type. Throws `IncorrectUsageError` for what no domain has made.
 */
export function projectionOf<S extends Schema>(projection: ProjectionType<S>): ProjectionDefinition<S> {
  if (projection instanceof ProjectionDefinition) return projection;
  throw new IncorrectUsageError("This is not a projection: use what domain.projection(…) returned.");
}
