/**
 * Whether a batch of deliveries may still have an effect: as long as each of them may.
 *
 * @module
 */
import type { Backend } from "../domain/backends.ts";
import type { RunOptions } from "../domain/handler_port.ts";
import { ProteanError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";

export class BatchGuard implements RunOptions {
  readonly #deliveries: readonly Delivery[];
  readonly #abort = new AbortController();
  readonly #givenUp = new AbortController();

  constructor(deliveries: readonly Delivery[]) {
    this.#deliveries = deliveries;
    for (const delivery of deliveries) delivery.whenEnded = (reason) => this.#ended(reason);
    if (deliveries.some(({ ended }) => ended !== undefined)) this.#ended(undefined);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get givenUp(): AbortSignal {
    return this.#givenUp.signal;
  }

  mayCommit(): boolean {
    return this.#deliveries.every((delivery) => delivery.mayCommit());
  }

  committed(backend: Backend): void {
    for (const delivery of this.#deliveries) delivery.committed(backend);
  }

  /** The run is over: nobody is told any more. */
  close(): void {
    for (const delivery of this.#deliveries) delivery.whenEnded = undefined;
  }

  #ended(reason: Error | undefined): void {
    this.#abort.abort(
      reason ?? new ProteanError("A message of the batch is another's by now, or was given up."),
    );
    if (!this.mayCommit()) this.#givenUp.abort();
  }
}
