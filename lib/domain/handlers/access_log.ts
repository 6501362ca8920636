/**
 * One wide event for each message that a handler has run on: at debug, and at warning where the run was slow
 * (wire 8.3, logger `protean.access`). While nobody wants the former, a run costs a look at the clock.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Config } from "../../config/schema.ts";
import { cut, describeError, errorType } from "../../message/describe_error.ts";
import { categoryOf } from "../../message/names.ts";
import type { HandlerKind } from "../handler_port.ts";
import { KINDS } from "../kinds.ts";
import type { Origin } from "../work/outgoing.ts";
import type { UnitOfWork } from "../work/unit_of_work.ts";
import { messageFacts } from "../work/message_facts.ts";

const log = getLogger(["protean", "access"]);

/** For so long it is remembered whether anybody wants the events: asking costs as much as the rest. */
const REMEMBERED_MS = 1_000;
/** Longest text of an error, in bytes (wire 8.3). */
const MAX_ERROR = 256;
/** Types of events raised that are named. */
const MAX_EVENTS = 20;

/** What a run has done, its repetitions included, for those who want to know it all. */
export class AccessEntry {
  readonly #units: UnitOfWork[] = [];

  /** It works in this unit from now on. */
  works(unit: UnitOfWork): void {
    this.#units.push(unit);
  }

  facts(): Record<string, unknown> {
    const repo = { loads: 0, saves: 0 };
    for (const unit of this.#units) {
      const { loads, saves } = unit.operations;
      repo.loads += loads;
      repo.saves += saves;
    }
    const types = this.#units.flatMap(({ committed }) =>
      committed.map(({ metadata }) => metadata.headers.type)
    );
    return {
      events_raised: types.slice(0, MAX_EVENTS),
      events_raised_count: types.length,
      repo_operations: repo,
    };
  }
}

export interface AccessLogOptions {
  readonly handler: string;
  readonly kind: HandlerKind;
  readonly logging: Config["logging"];
  /** From 0 to below 1, for `[logging.sampling]`. @default Math.random */
  readonly random?: () => number;
}

export class AccessLog {
  readonly #options: AccessLogOptions;
  /** Infinity: no run is slow. */
  readonly #slowMs: number;
  readonly #critical: ReadonlySet<string>;
  #isWanted = false;
  #askAgain = -Infinity;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#slowMs = options.logging.slow_handler_threshold_ms || Infinity;
    this.#critical = new Set(options.logging.sampling.critical_streams);
  }

  /** Of a run that begins now (monotonic ms); undefined while nobody wants the wide event. */
  entry(began: number): AccessEntry | undefined {
    if (began >= this.#askAgain) {
      this.#isWanted = log.isEnabledFor("debug");
      this.#askAgain = began + REMEMBERED_MS;
    }
    return this.#isWanted ? new AccessEntry() : undefined;
  }

  /** A run has ended after `ms`. `more`: what else is to be told of it. */
  ended(
    ms: number,
    origin: Origin,
    entry: AccessEntry | undefined,
    error: Error | undefined,
    more?: Readonly<Record<string, unknown>>,
  ): void {
    const isSlow = ms > this.#slowMs;
    if (!entry && !isSlow) return;
    if (!this.#isKept(origin, error, isSlow)) return;
    const { handler, kind } = this.#options;
    const facts = {
      kind: kind === "projector" ? "projector" : KINDS[kind].messages === "command" ? "command" : "event",
      ...messageFacts(origin),
      ...aggregateFacts(origin),
      handler,
      duration_ms: Math.round(ms * 1000) / 1000,
      status: error ? "failed" : isSlow ? "slow" : "ok",
      uow_outcome: error ? "rolled_back" : "committed",
      ...(error && { error_type: errorType(error) }),
      ...more,
    };
    const outcome = error ? "failed" : "completed";
    if (isSlow) log.warn(`access.handler_${outcome}`, facts);
    // The error's text may quote a payload (SEC-4): it stays here.
    if (entry && (error || !isSlow)) {
      log.debug(`access.handler_${outcome}`, {
        ...facts,
        ...entry.facts(),
        ...(error && { error_message: cut(describeError(error, 4 * MAX_ERROR).message, MAX_ERROR) }),
      });
    }
  }

  #isKept({ message }: Origin, error: Error | undefined, isSlow: boolean): boolean {
    const { logging: { sampling }, random = Math.random } = this.#options;
    if (!sampling.enabled) return true;
    if (error && sampling.always_keep_errors || isSlow && sampling.always_keep_slow) return true;
    const stream = message?.metadata.headers.stream ?? "";
    if (this.#critical.has(categoryOf(stream)) || this.#critical.has(stream)) return true;
    return random() < sampling.default_rate;
  }
}

/** Which aggregate the message is about, by its stream, and what caused it. */
function aggregateFacts({ message }: Origin): Record<string, unknown> {
  if (!message) return {};
  const { headers: { stream }, domain: { causation_id } } = message.metadata;
  const category = categoryOf(stream);
  return {
    aggregate: category.replace(/^[^:]*::/, "").replace(/:command$/, ""),
    ...(stream.length > category.length && { aggregate_id: stream.slice(category.length + 1) }),
    ...(causation_id !== null && { causation_id }),
  };
}
