/**
 * An operation that is being run, as its kind has it.
 *
 * @module
 */
import type { OperationRecords } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import type { Operation } from "../domain/operations.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { encodeRecord, operationOf, type OperationRecord } from "./record.ts";

/** The rest of the operation is not done. */
export class Stop extends Error {
  readonly state: "cancelled" | "failed" | "paused";

  constructor(state: Stop["state"], why: string) {
    super(why);
    this.state = state;
  }
}

/** Does an operation, or what is left of it. */
export interface Work {
  /**
   * Resolves at its end. Throws `Stop` where it ends before that, and whatever it likes once `running.signal` has
   * aborted.
   */
  run(running: Running): Promise<void>;
}

export interface RunningParts {
  readonly records: OperationRecords;
  readonly record: OperationRecord;
  /** In whose name it is run. */
  readonly run: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told that it is not to go on, as the kept state says. */
  readonly halted: (state: string) => void;
  readonly progress: ((operation: Operation) => void) | undefined;
}

export class Running {
  readonly record: OperationRecord;
  readonly clock: Clock;
  /** Aborts when it has to stop between two steps. */
  readonly signal: AbortSignal;
  readonly #parts: RunningParts;

  constructor(parts: RunningParts) {
    this.#parts = parts;
    this.record = parts.record;
    this.clock = parts.clock;
    this.signal = parts.signal;
  }

  /** Keeps how far it is, before something is done that cannot be told from what somebody else does. */
  async save(): Promise<void> {
    const { records, record, run, halted } = this.#parts;
    const state = await records.save(record.id, run, encodeRecord(record));
    if (state !== "running") halted(state ?? "lost");
    this.goOn();
  }

  /** Throws where it has to stop. */
  goOn(): void {
    if (this.signal.aborted) throw new Stop("cancelled", "It was stopped.");
  }

  told(): void {
    this.#parts.progress?.(operationOf(this.record));
  }
}

type MakeWork = (runtime: DomainRuntime) => Work;

const works = new Map<string, MakeWork>();

/** Says how operations of a kind are done. */
export function registerWork(kind: OperationRecord["kind"], make: MakeWork): void {
  works.set(kind, make);
}

/** Undefined: this library is too old for the kind, or too little of it was imported. */
export function workOf(kind: string, runtime: DomainRuntime): Work | undefined {
  return works.get(kind)?.(runtime);
}
