/**
 * `domain.operations`, and what the command line calls.
 *
 * @module
 */
import { type Operation, type Operations, registerOperations } from "../domain/operations.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError, IncorrectUsageError, ProteanError } from "../errors.ts";
import { audit, whoIs } from "./audit.ts";
import { OperationDesk, type RunOptions, savesToFile } from "./desk.ts";
import { operationOf, type OperationRecord } from "./record.ts";
import { workOf } from "./running.ts";

const LIST_LIMIT = 100;

/** Who does it, and why. */
export interface Actor {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

export class DomainOperations implements Operations {
  readonly #runtime: () => DomainRuntime;

  constructor(runtime: () => DomainRuntime) {
    this.#runtime = runtime;
  }

  async list({ limit = LIST_LIMIT }: { limit?: number } = {}): Promise<readonly Operation[]> {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new IncorrectUsageError(
        `'limit' takes a whole number above 0: current value is ${String(limit)}.`,
      );
    }
    return (await this.#desk().list(limit)).map(operationOf);
  }

  async get(id: string): Promise<Operation | undefined> {
    const record = await this.#desk().get(id);
    return record && operationOf(record);
  }

  /** As `get`. Throws `ProteanError` with the code `OPERATION_NOT_FOUND` where there is none. */
  async find(id: string): Promise<Operation> {
    return operationOf(await this.#desk().find(id));
  }

  async pause(id: string, actor: Actor = {}): Promise<void> {
    await this.#change("operations.pause", id, actor, (desk) => desk.pause(id));
  }

  async cancel(id: string, actor: Actor = {}): Promise<void> {
    await this.#change("operations.cancel", id, actor, (desk) => desk.cancel(id));
  }

  async resume(id: string, options: Actor & RunOptions = {}): Promise<void> {
    const runtime = this.#runtime();
    let record: OperationRecord | undefined;
    await this.#change("operations.resume", id, options, async (desk) => {
      const { kind, saves } = await desk.find(id);
      if (saves) throw savesToFile(id, kind);
      const work = workOf(kind, runtime);
      if (!work) {
        throw new ProteanError(
          `The operation '${id}' is of the kind '${kind}', which this server does not know.`,
          {
            code: "OPERATION_UNKNOWN_KIND",
          },
        );
      }
      record = await desk.run(id, work, options);
    });
    if (record) await auditEnd(runtime, record);
  }

  async #change(
    what: string,
    id: string,
    { by, reason }: Actor,
    work: (desk: OperationDesk) => Promise<void>,
  ): Promise<void> {
    const runtime = this.#runtime();
    const facts = { what, by: whoIs(by), reason, operation: id };
    try {
      await work(this.#desk());
    } catch (error) {
      await audit(runtime, { ...facts, outcome: "refused", why: asError(error).message });
      throw error;
    }
    await audit(runtime, { ...facts, outcome: "done" });
  }

  #desk(): OperationDesk {
    return OperationDesk.of(this.#runtime());
  }
}

/** The line about what became of an operation. */
export async function auditEnd(runtime: DomainRuntime, record: OperationRecord): Promise<void> {
  const { id, kind, filter, by, reason, state, done: count, skipped, failures, why } = record;
  const what = kind === "window" ? "subscriptions.replay" : `dlq.${kind}`;
  await audit(runtime, {
    ...{ what, by, filter, reason, count, skipped, failures, outcome: state, operation: id, why },
  });
}

registerOperations((runtime) => new DomainOperations(runtime));
