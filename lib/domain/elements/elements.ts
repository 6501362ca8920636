/**
 * What a team has declared on a domain, in the order of declaration. Judged as a whole by `model.ts` when the
 * domain is initialised, so that every problem is told at once.
 *
 * @module
 */
import { IncorrectUsageError } from "../../errors.ts";
import type { AggregateDefinition } from "./aggregate.ts";
import type { CheckDefinition } from "../check.ts";
import type { DlqAlertListener } from "../dlq_alert.ts";
import type { HandlerKind } from "../handler_port.ts";
import type { MessageDefinition } from "./message_definition.ts";
import type { ProjectionDefinition } from "./projection.ts";
import type { HandlerOptions } from "../types.ts";

/** A handler as declared. */
export interface HandlerDefinition {
  readonly kind: HandlerKind;
  readonly name: string;
  readonly options: HandlerOptions;
  /** Categories that the declaration names or implies; undefined: those of the messages it handles. */
  readonly categories: readonly string[] | undefined;
  /** Name of the broker that it reads from; undefined: that of the domain. */
  readonly broker?: string;
}

/** The registry. */
export class Elements {
  readonly aggregates: AggregateDefinition[] = [];
  readonly messages: MessageDefinition[] = [];
  readonly projections: ProjectionDefinition[] = [];
  readonly handlers: HandlerDefinition[] = [];
  /** Told when dead letters pile up. */
  readonly dlqAlertListeners: DlqAlertListener[] = [];
  readonly checks: CheckDefinition[] = [];
  #frozen = false;

  /**
   * From now on nothing can be declared: the running parts of a domain know its elements as they were at
   * `init`.
   */
  freeze(): void {
    this.#frozen = true;
  }

  /** The domain does not run any more; its next `init` looks at all elements again. */
  thaw(): void {
    this.#frozen = false;
  }

  /** Called before each declaration. Throws `IncorrectUsageError` while frozen. */
  assertOpen(kind: string, name: string): void {
    if (!this.#frozen) return;
    throw new IncorrectUsageError(
      `The ${kind} ${name} is declared after domain.init(): declare every element first, then initialise.`,
    );
  }
}
