/**
 * Does the operations that were left to a running server: those that are planned, and those whose server died
 * (operations 6).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { sleep } from "../async/clock.ts";
import { together } from "../async/every.ts";
import { BackgroundService, type EngineService, type ServiceStatus } from "../async/service.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ProteanError } from "../errors.ts";
import { logLine } from "../message/describe_error.ts";
import { OperationDesk } from "./desk.ts";
import { auditEnd } from "./domain_operations.ts";
import type { OperationRecord } from "./record.ts";
import { workOf } from "./running.ts";

const log = getLogger(["protean", "operations"]);

/** How often it looks for work. */
const LOOK_MS = 1_000;
/** Operations that one process does at once: one that is slow on purpose keeps nobody waiting. */
const MOST_AT_ONCE = 4;

export class OperationService extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name = "operations";
  readonly #runtime: DomainRuntime;
  readonly #desk: OperationDesk;
  readonly #running = new Map<string, Promise<void>>();
  readonly #counters = { begun: 0, failed: 0 };
  #failing = false;
  #looked = false;

  constructor(runtime: DomainRuntime) {
    super();
    this.#runtime = runtime;
    this.#desk = OperationDesk.of(runtime);
  }

  status(): ServiceStatus {
    return {
      // What it has not looked for yet may be there.
      ...{ kind: "operations", name: this.name, unfinished: this.#running.size + (this.#looked ? 0 : 1) },
      counters: { ...this.#counters },
    };
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#runtime;
    while (!signal.aborted) {
      await this.#look(signal);
      this.#looked = true;
      await sleep(clock, together(clock, LOOK_MS), signal);
    }
    this.#looked = true;
    await Promise.all(this.#running.values());
  }

  /** Never rejects; what went wrong is told once. */
  async #look(signal: AbortSignal): Promise<void> {
    try {
      for (const record of await this.#desk.waiting()) {
        if (signal.aborted || this.#running.size >= MOST_AT_ONCE) return;
        if (this.#running.has(record.id)) continue;
        const running = this.#do(record, signal).finally(() => this.#running.delete(record.id));
        this.#running.set(record.id, running);
      }
      this.#failing = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#failing) log.warn("operations.unreachable", { error: logLine(error) });
      this.#failing = true;
    }
  }

  /** Never rejects. */
  async #do({ id, kind }: OperationRecord, signal: AbortSignal): Promise<void> {
    const work = workOf(kind, this.#runtime);
    if (!work) return;
    try {
      const ended = await this.#desk.run(id, work, {
        ...{ signal, onAbort: "planned", waitMs: 0, from: ["planned", "running"] },
      });
      this.#counters.begun++;
      // It goes on after the restart, here or elsewhere.
      if (ended.state === "planned") return;
      if (ended.state === "failed") this.#counters.failed++;
      log.info("operations.ended", { operation: id, kind, state: ended.state, done: ended.done });
      await auditEnd(this.#runtime, ended);
    } catch (error) {
      // Somebody else does it, or has ended it.
      if (error instanceof ProteanError && error.code.startsWith("OPERATION_")) return;
      log.warn("operations.failed", { operation: id, kind, error: logLine(error) });
    }
  }
}
