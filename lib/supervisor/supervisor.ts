/**
 * Runs N workers, each a process of its own: starts one again that crashed (DRN-5), hands stop signals on once
 * (DRN-4), replaces them one by one when asked to, and knows for the one health port how all of them are
 * (HLT-4).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { onAbort } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { Crashes } from "./crashes.ts";
import type { Order } from "./protocol.ts";
import { type Child, WorkerProcess } from "./worker_process.ts";

const log = getLogger(["protean", "supervisor"]);

/** Exit codes of design 9. */
const FINE = 0;
const FAILED = 1;
const REFUSED = 2;
const CUT = 4;

/** How long a worker that replaces another may take to become ready. */
const READY_WITHIN_MS = 60_000;
const LEAST_KILL_MS = 30_000;
/** What a worker may take beyond its drain: flushing, closing. */
const CLOSING_MS = 5_000;
/** What a worker may take after the second signal: its handlers' last second, releasing, flushing, closing. */
const CUT_MS = 8_000;

export interface SupervisorOptions {
  /** How many. */
  readonly workers: number;
  /** Starts the process of worker `number`, from 1. Throws where it cannot. */
  readonly spawn: (number: number) => Child;
  /** False: a worker that crashed stays down (`--no-restart`). */
  readonly restart: boolean;
  /** A worker that ends with 0 unasked has done its work (`--once`). */
  readonly once: boolean;
  readonly drainTimeoutSeconds: number;
  readonly blockedAfterSeconds: number;
  /** Takes what the domain prints in a worker. */
  readonly printed: (text: string) => void;
  readonly clock: Clock;
}

/** The place of one worker, whichever process has it now. */
export interface Slot {
  readonly number: number;
  /** Undefined while there is none. */
  current: WorkerProcess | undefined;
  /** Takes the place once it is ready. */
  successor: WorkerProcess | undefined;
  restarts: number;
}

export class Supervisor {
  /** In the order of their numbers. */
  readonly slots: readonly Slot[];
  readonly #options: SupervisorOptions;
  readonly #crashes: Crashes;
  readonly #stopping = new AbortController();
  /** Every process there is; those that were replaced too. */
  readonly #processes = new Set<WorkerProcess>();
  readonly #done = new AbortController();
  /** The exit code of each place that a process has had; one that was replaced is over without one. */
  readonly #kept: Promise<number>[] = [];
  #failed = false;
  /** A worker has started once: what was given to them all was right. */
  #started = false;
  /** Why none of them can begin. */
  #refusal: string | undefined;
  #quiesced = false;
  #rolling = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#crashes = new Crashes(options.clock);
    this.slots = Array.from({ length: options.workers }, (_, at) => ({
      number: at + 1,
      current: undefined,
      successor: undefined,
      restarts: 0,
    }));
  }

  /** Told to stop, or has given up. */
  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Told by `POST /drainz` to read nothing more. */
  get quiesced(): boolean {
    return this.#quiesced;
  }

  /**
   * Runs until every worker has ended: because `signal` aborted and they drained, `cut` short where that
   * aborts, or by themselves. Returns the worst of their exit codes: 1, 4, 0. Rejects when no process can be
   * started at all, and with a worker's own reason where that cannot begin and none ever has: they were all
   * given the same.
   */
  async run({ signal, cut }: { readonly signal: AbortSignal; readonly cut: AbortSignal }): Promise<number> {
    using _stop = onAbort(signal, (reason) => this.#stop(String(reason)));
    using _cut = onAbort(cut, () => this.#cut());
    try {
      const first = this.stopping ? [] : this.slots.map((slot) => this.#start(slot));
      for (const [at, worker] of first.entries()) this.#kept.push(this.#keep(this.#slot(at), worker));
      const codes: number[] = [];
      // A roll adds to them.
      for (const code of this.#kept) codes.push(await code);
      // Those that were replaced may still drain.
      await Promise.all([...this.#processes].map(({ ended }) => ended));
      const refusal = this.#refusal;
      const code = refusal !== undefined ? REFUSED : this.#failed ? FAILED : worst(codes);
      log.info("supervisor.stopped", { exit_code: code });
      if (refusal !== undefined) throw new ConfigurationError(refusal, { code: "WORKER_REFUSED" });
      return code;
    } finally {
      // None, unless the run could not begin.
      const left = [...this.#processes];
      for (const worker of left) worker.kill();
      await Promise.all(left.map(({ ended }) => ended));
      this.#done.abort();
    }
  }

  /** `POST /drainz`: no worker reads anything more, those that are still to come included. */
  quiesce(): void {
    if (this.#quiesced) return;
    this.#quiesced = true;
    log.info("supervisor.drain_requested", { pid: Deno.pid });
    this.#tellAll({ order: "quiesce" });
  }

  /**
   * Replaces the workers one by one; each is told to drain once its successor is ready. A successor that does
   * not become ready ends the roll, and the others stay. Never rejects; one roll at a time.
   */
  async roll(): Promise<void> {
    // What reads nothing more is never ready.
    const reason = this.stopping
      ? "stopping"
      : this.#quiesced
      ? "draining"
      : this.#rolling
      ? "rolling already"
      : undefined;
    if (reason !== undefined) return log.warn("supervisor.roll_refused", { reason });
    this.#rolling = true;
    log.info("supervisor.roll_began", { workers: this.slots.length });
    try {
      for (const slot of this.slots) if (!await this.#replace(slot)) return;
      log.info("supervisor.roll_ended");
    } finally {
      this.#rolling = false;
    }
  }

  /** Returns whether the roll goes on. */
  async #replace(slot: Slot): Promise<boolean> {
    const { clock } = this.#options;
    // A worker that is down comes back as what is on disk now anyway.
    if (this.stopping || !slot.current) return !this.stopping;
    const old = slot.current;
    let next: WorkerProcess;
    try {
      next = slot.successor = this.#spawn(slot);
    } catch (error) {
      log.error("supervisor.roll_failed", { worker: slot.number, error: asError(error).message });
      return false;
    }
    const late = new AbortController();
    const ready = await Promise.race([
      next.firstReady.then(() => true),
      next.ended.then(() => false),
      sleep(clock, READY_WITHIN_MS, late.signal).then(() => false),
    ]);
    late.abort();
    if (this.stopping) return false;
    if (slot.current === next) return ready;
    slot.successor = undefined;
    if (!ready) {
      log.error("supervisor.roll_failed", {
        worker: slot.number,
        error: next.refusal ?? "the new worker did not become ready",
      });
      // It may be at work, for all that.
      this.#drain(next, "reload");
      return false;
    }
    slot.current = next;
    this.#kept.push(this.#keep(slot, next));
    this.#drain(old, "reload");
    await old.ended;
    return !this.stopping;
  }

  /**
   * Keeps a worker in its place until that is to stay empty, or another was put there. Returns the exit code
   * of the last one.
   */
  async #keep(slot: Slot, first: WorkerProcess): Promise<number> {
    for (let worker = first;;) {
      const status = await worker.ended;
      const { number } = slot;
      const facts = {
        worker: number,
        pid: worker.pid,
        exit_code: status.code,
        signal: status.signal ?? undefined,
      };
      if (slot.current !== worker) {
        log.info("supervisor.worker_ended", facts);
        return FINE;
      }
      slot.current = undefined;
      // A signal to the whole group ends a worker that has not begun to listen: it had nothing to drain.
      const code = this.stopping && !worker.health.begun ? FINE : codeOf(status);
      if (this.stopping || (this.#options.once && status.code === 0)) {
        log.info("supervisor.worker_ended", facts);
        return code;
      }
      const { refusal } = worker;
      if (refusal !== undefined && !this.#hasStarted()) {
        this.#refusal = refusal;
        this.#stop("a worker cannot begin");
        return code;
      }
      log.error("supervisor.worker_crashed", { ...facts, ...(refusal !== undefined && { error: refusal }) });
      if (!this.#options.restart || this.#options.once) return code;
      const next = slot.successor ?? await this.#again(slot);
      if (!next) return code;
      slot.current = worker = next;
      slot.successor = undefined;
    }
  }

  /** A process for the place of one that crashed, after a while; undefined where none is to be any more. */
  async #again(slot: Slot): Promise<WorkerProcess | undefined> {
    const { clock } = this.#options;
    while (!this.stopping) {
      const waitMs = this.#crashes.crashed(slot.number);
      if (waitMs === undefined) {
        log.fatal("supervisor.too_many_crashes", { worker: slot.number });
        this.#failed = true;
        this.#stop("too many crashes");
        return undefined;
      }
      log.info("supervisor.worker_restarts", { worker: slot.number, wait_ms: waitMs });
      await sleep(clock, waitMs, this.#stopping.signal);
      if (this.stopping) return undefined;
      slot.restarts++;
      try {
        return this.#start(slot);
      } catch (error) {
        log.error("supervisor.worker_not_started", { worker: slot.number, error: asError(error).message });
      }
    }
    return undefined;
  }

  #hasStarted(): boolean {
    return this.#started || [...this.#processes].some(({ started }) => started);
  }

  #start(slot: Slot): WorkerProcess {
    return slot.current = this.#spawn(slot);
  }

  #spawn(slot: Slot): WorkerProcess {
    const { spawn, blockedAfterSeconds, printed, clock } = this.#options;
    const worker = new WorkerProcess({ child: spawn(slot.number), blockedAfterSeconds, printed, clock });
    this.#processes.add(worker);
    void worker.ended.then(() => {
      this.#started ||= worker.started;
      this.#processes.delete(worker);
    });
    log.info("supervisor.worker_started", { worker: slot.number, pid: worker.pid });
    if (this.#quiesced) worker.tell({ order: "quiesce" });
    return worker;
  }

  #stop(reason: string): void {
    if (this.stopping) return;
    this.#stopping.abort(reason);
    log.info("supervisor.shutting_down", { reason });
    for (const worker of this.#processes) this.#drain(worker, reason);
  }

  /** Tells it to drain, and kills it where it does not end. */
  #drain(worker: WorkerProcess, reason: string): void {
    worker.tell({ order: "drain", reason });
    this.#killAfter(worker, Math.max(LEAST_KILL_MS, this.#options.drainTimeoutSeconds * 1000 + CLOSING_MS));
  }

  #killAfter(worker: WorkerProcess, ms: number): void {
    const cancel = this.#options.clock.after(ms, () => {
      log.error("supervisor.worker_killed", { pid: worker.pid, after_seconds: ms / 1000 });
      worker.kill();
    });
    const over = onAbort(this.#done.signal, cancel);
    void worker.ended.then(() => {
      cancel();
      over[Symbol.dispose]();
    });
  }

  /** The second signal; a worker that cannot hear it is killed soon. */
  #cut(): void {
    for (const worker of this.#processes) {
      worker.tell({ order: "abort" });
      this.#killAfter(worker, CUT_MS);
    }
  }

  #tellAll(order: Order): void {
    for (const worker of this.#processes) worker.tell(order);
  }

  #slot(at: number): Slot {
    const slot = this.slots[at];
    if (!slot) throw new RangeError(`There is no worker ${at + 1}.`);
    return slot;
  }
}

/** 1 for everything that is neither a good end nor a cut. */
function codeOf({ code }: Deno.CommandStatus): number {
  return code === FINE || code === CUT ? code : FAILED;
}

function worst(codes: readonly number[]): number {
  return codes.includes(FAILED) ? FAILED : codes.includes(CUT) ? CUT : FINE;
}
