/**
 * `event_processing = "sync"`: the handlers of the events of a unit of work run in the process that has
 * committed it, right after the commit, breadth-first: first all handlers of all its events, then those of
 * the events that these have committed (wire 10.14).
 *
 * The events travel through the outbox all the same. Handlers are idempotent there, so a subscription that
 * comes to an event afterwards skips what was done here, and does what was not: because a handler failed, or
 * the process died after the commit.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { asError, ProteanError } from "../../errors.ts";
import { errorLine, logLine } from "../../message/describe_error.ts";
import { decodeMessage, encodeRaw } from "../../message/envelope.ts";
import { categoryOf } from "../../message/names.ts";
import { decisionOf } from "../decision.ts";
import type { HandlerRunner, SentMessage } from "../handler_port.ts";
import { KINDS } from "../kinds.ts";
import type { RuntimeFacts } from "../runtime.ts";
import type { Guard } from "../work/sessions.ts";

const log = getLogger(["protean", "domain"]);

/** Whose handlers have not come to an end by then answer each other for ever. */
const MOST_EVENTS = 10_000;

interface Failure {
  readonly handler: string;
  readonly error: Error;
}

export class SyncEvents {
  readonly #config: RuntimeFacts["config"];
  #runners: readonly HandlerRunner[] = [];

  constructor(config: RuntimeFacts["config"]) {
    this.#config = config;
  }

  /** The handlers of the domain, before anything is committed. */
  attach(runners: readonly HandlerRunner[]): void {
    this.#runners = runners.filter(({ kind }) => KINDS[kind].messages === "event");
  }

  /**
   * Handles the events among what was committed. Throws `ProteanError` (`EVENT_PROCESSING`) when handlers
   * have failed, after all of them have run: what was committed stays.
   */
  async handle(committed: readonly SentMessage[], guard: Guard): Promise<void> {
    const queue = committed.filter(isEvent);
    const failures: Failure[] = [];
    let handled = 0;
    // It grows meanwhile.
    for (let message = queue.shift(); message; message = queue.shift()) {
      if (++handled > MOST_EVENTS) {
        throw new ProteanError(
          `The handlers of events are not quiet after ${MOST_EVENTS} events: they seem to answer each other for ever.`,
          { code: "EVENT_PROCESSING" },
        );
      }
      failures.push(
        ...await this.#handle(message, guard, (more) => void queue.push(...more.filter(isEvent))),
      );
    }
    if (failures.length > 0) throw failed(failures);
  }

  async #handle(
    { data, metadata }: SentMessage,
    guard: Guard,
    spread: (more: readonly SentMessage[]) => void,
  ): Promise<readonly Failure[]> {
    const category = categoryOf(metadata.headers.stream);
    const interested = this.#runners.filter(({ categories }) => categories.includes(category));
    if (interested.length === 0) return [];
    const failures: Failure[] = [];
    // As a subscription would read it.
    const text = encodeRaw(data, JSON.stringify(metadata));
    const again = () => decodeMessage(text, this.#config.config.server.max_received_bytes);
    for (const runner of interested) {
      try {
        const message = again();
        const verdict = runner.judge(message);
        if (verdict.kind === "poison") throw verdict.error;
        if (verdict.kind !== "run") continue;
        const { signal } = guard;
        const mayCommit = () => guard.mayCommit();
        await runner.run(message, verdict.plan, { signal, mayCommit, again, spread: (more) => spread(more) });
      } catch (thrown) {
        const error = asError(thrown);
        const decision = decisionOf(error)?.kind;
        // Its subscription carries out what a handler has decided.
        if (decision === "discard" || decision === "retry_after") continue;
        log.debug("handler.event_failed", { handler: runner.name, error: errorLine(error) });
        log.warn("handler.event_failed", {
          ...{ handler: runner.name, message_id: metadata.headers.id, message_type: metadata.headers.type },
          error: logLine(error),
        });
        failures.push({ handler: runner.name, error });
      }
    }
    return failures;
  }
}

function isEvent({ metadata }: SentMessage): boolean {
  return metadata.domain.kind === "EVENT";
}

function failed(failures: readonly Failure[]): ProteanError {
  const [first] = failures;
  const names = [...new Set(failures.map(({ handler }) => handler))].join(", ");
  const errors = failures.map(({ error }) => error);
  const outline =
    `What was done is committed, and then ${names} failed at its events: mend that and run the ` +
    "server, whose subscriptions handle them again.";
  return new ProteanError(`${outline} ${first?.handler}: ${first?.error.message}`, {
    code: "EVENT_PROCESSING",
    outline,
    cause: errors.length === 1 ? errors[0] : new AggregateError(errors, `${errors.length} handlers failed`),
  });
}
