/**
 * Window replay: what a handler was given between two times is given to it once more, through the replay
 * lane of its group (operations 6).
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";
import { sleep } from "../async/clock.ts";
import { pacer } from "../async/pacer.ts";
import { didYouMean } from "../config/nearest.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { lanesOf } from "../domain/lanes.ts";
import type { Operation } from "../domain/operations.ts";
import { brokerOf } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError, IncorrectUsageError, NotSupportedError, ProteanError } from "../errors.ts";
import { largestLetter, renderAgain, summarizeDeadLetter } from "../message/dead_letter.ts";
import { decodeMessage, streamIn } from "../message/envelope.ts";
import { isTypeNamed, replayLane } from "../message/names.ts";
import { resolveSettings } from "../subscription/settings/resolve.ts";
import { audit, whoIs } from "./audit.ts";
import { OperationDesk, type RunOptions } from "./desk.ts";
import { auditEnd } from "./domain_operations.ts";
import { type Asked, failed, newRecord, operationOf } from "./record.ts";
import { registerWork, type Running, type Work } from "./running.ts";
import {
  messagesOf,
  placeOf,
  type WindowMessage,
  type WindowPlace,
  type WindowSources,
} from "./window_source.ts";

/** Messages that are sent between two writings of how far it is. */
const STEP = 50;
/** Messages in the lane beyond which no more are sent: they would be kept in memory by the broker. */
const MOST_WAITING = 1_000;
const ROOM_MS = 200;

export interface WindowOptions {
  /** As declared. */
  readonly handler: string;
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  /** A message type, or its name in any version. */
  readonly type?: string | undefined;
  /** The id of an aggregate, or of what else the messages' stream is about. */
  readonly key?: string | undefined;
  /**
   * `keep`: what was handled is recognised, and not handled again. `ignore`: everything is handled again.
   * @default "keep"
   */
  readonly marks?: "keep" | "ignore" | undefined;
  /** Messages a second, at most. @default as fast as they are handled */
  readonly rate?: number | undefined;
  readonly dryRun?: boolean | undefined;
  readonly detach?: boolean | undefined;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

interface PlannedPlace extends WindowPlace {
  readonly category: string;
  /** Where the lane's mark stands, as far as is known: the last message that was sent, and how many were. */
  mark: string;
  over?: boolean;
}

interface WindowPlan {
  readonly handler: string;
  readonly from: number;
  readonly to: number;
  readonly type?: string;
  readonly key?: string;
  readonly marks: "keep" | "ignore";
  readonly places: PlannedPlace[];
}

/**
 * Does it; resolves at its end. Throws `ProteanError` (`SUBSCRIPTION_UNKNOWN`, `WINDOW_NO_LANE`,
 * `WINDOW_NO_MARKS`, `OPERATION_ALIKE`) or `IncorrectUsageError` for what cannot be meant.
 */
export async function replayWindow(
  runtime: DomainRuntime,
  options: WindowOptions,
  how: RunOptions = {},
): Promise<Operation> {
  const { handler, from, to, type, key, marks = "keep", rate, reason } = options;
  const by = whoIs(options.by);
  const filter = {
    ...{ handler, from: timeText(from), to: timeText(to), marks },
    ...(type !== undefined && { type }),
    ...(key !== undefined && { key }),
  };
  const asked: Omit<Asked, "domain"> = {
    ...{ kind: "window", filter, by, reason, rate, detached: options.detach ?? false, saves: false },
  };
  try {
    assertSpan(options);
    const runner = runnerNamed(runtime, handler);
    const plan = await planOf(runtime, runner, { ...filter, from: from.getTime(), to: to.getTime(), marks });
    const window = new Window(runtime, runner, plan);
    const total = await window.count(how.signal);
    if (options.dryRun) {
      return operationOf(newRecord({ ...asked, domain: "" }, {
        ...{ id: crypto.randomUUID(), created: runtime.clock.now(), total, plan },
      }));
    }
    const desk = OperationDesk.of(runtime);
    const made = await desk.make(asked, { total, plan });
    const ended = asked.detached ? made : await desk.run(made.id, new WindowWork(runtime), how);
    await auditEnd(runtime, ended);
    return operationOf(ended);
  } catch (error) {
    const facts = { what: "subscriptions.replay", by, filter, reason };
    if (!options.dryRun) await audit(runtime, { ...facts, outcome: "refused", why: asError(error).message });
    throw error;
  }
}

registerWork("window", (runtime) => new WindowWork(runtime));

class WindowWork implements Work {
  constructor(private readonly runtime: DomainRuntime) {}

  async run(running: Running): Promise<void> {
    const plan = running.record.plan as WindowPlan;
    const window = new Window(this.runtime, runnerNamed(this.runtime, plan.handler), plan);
    await window.send(running);
  }
}

class Window {
  readonly #runner: HandlerRunner;
  readonly #plan: WindowPlan;
  readonly #sources: WindowSources;
  readonly #most: number;

  constructor(runtime: DomainRuntime, runner: HandlerRunner, plan: WindowPlan) {
    this.#runner = runner;
    this.#plan = plan;
    this.#most = runtime.config.config.server.max_received_bytes;
    this.#sources = sourcesOf(runtime, runner);
  }

  /** How many messages are meant. */
  async count(signal: AbortSignal | undefined): Promise<number> {
    let count = 0;
    for (const place of this.#plan.places) {
      for await (const page of messagesOf(this.#sources, place, this.#plan, undefined)) {
        signal?.throwIfAborted();
        count += page.filter((message) => this.#isMeant(message)).length;
      }
    }
    return count;
  }

  async send(running: Running): Promise<void> {
    const { record, clock, signal } = running;
    const pace = pacer(clock, record.rate, signal);
    const step = Math.min(STEP, Math.max(1, Math.floor(record.rate ?? STEP)));
    for (const [at, place] of this.#plan.places.entries()) {
      if (place.over) continue;
      const lane = this.#lane(place, `${record.id}:${at}`);
      // A process that was killed may have sent more than it has kept.
      place.mark = await lane.feed([], place.mark);
      let [after, sent] = fromMark(place.mark);
      record.done = this.#sent;
      for await (const page of messagesOf(this.#sources, place, this.#plan, after)) {
        const meant = page.filter((message) => this.#isMeant(message));
        for (let from = 0; from < meant.length; from += step) {
          const some = meant.slice(from, from + step);
          await this.#room(running, lane.name);
          await running.save();
          for (const _ of some) await pace();
          running.goOn();
          const whole = some.filter(({ id, tooLarge }) => {
            if (tooLarge) {
              failed(record, id, `it has more than the ${this.#most} bytes of max_received_bytes`);
            }
            return !tooLarge;
          });
          sent += whole.length;
          after = some.at(-1)?.id;
          const texts = whole.map((message) => this.#textOf(place, message, record.id));
          place.mark = await lane.feed(texts, place.mark, `${after}|${sent}`);
          record.done = this.#sent;
          running.told();
        }
      }
      running.goOn();
      place.over = true;
    }
  }

  /** Messages that were sent, as the marks say. */
  get #sent(): number {
    return this.#plan.places.reduce((sum, { mark }) => sum + fromMark(mark)[1], 0);
  }

  #lane({ category }: PlannedPlace, id: string) {
    const name = replayLane(category, this.#runner.group);
    const { broker } = this.#sources;
    const { deadLetters } = broker;
    return {
      name,
      /** Returns where the mark stands. Throws where somebody else has moved it. */
      feed: async (texts: readonly string[], from: string, to: string = from): Promise<string> => {
        const mark = await deadLetters.feed?.(name, this.#runner.group, texts, { id, from, to });
        if (mark === undefined) throw noFeed(broker);
        if (texts.length === 0 || mark === to) return mark;
        throw new ProteanError("Another process runs the operation as well: this one stops.", {
          code: "OPERATION_RUNNING",
        });
      },
    };
  }

  /** Waits until the group has handled most of what was sent to it. */
  async #room({ clock, signal }: Running, lane: string): Promise<void> {
    while (!signal.aborted && await this.#sources.broker.length(lane) >= MOST_WAITING) {
      await sleep(clock, ROOM_MS, signal);
    }
  }

  #textOf(place: PlannedPlace, { id, text }: WindowMessage, operation: string): string {
    return renderAgain(text, {
      ...{ originalStream: place.stream, originalId: id, consumerGroup: this.#runner.group },
      handler: this.#runner.name,
      ...(this.#plan.marks === "ignore" && { generation: operation }),
    });
  }

  /** Whether the filter means it, and the handler would run. */
  #isMeant({ text, tooLarge }: WindowMessage): boolean {
    const { type, key } = this.#plan;
    if (type !== undefined && !isTypeNamed(summarizeDeadLetter(text).messageType ?? "", type)) return false;
    if (key !== undefined) {
      const stream = streamIn(text);
      if (stream.slice(stream.indexOf("-") + 1) !== key) return false;
    }
    if (tooLarge || this.#runner.decode) return true;
    try {
      return this.#runner.judge(decodeMessage(text, this.#most)).kind === "run";
    } catch {
      // It could not be read the first time either.
      return false;
    }
  }
}

function sourcesOf(runtime: DomainRuntime, runner: HandlerRunner): WindowSources {
  return {
    broker: brokerOf(runtime, runner),
    // What other systems send is not ours to store.
    store: runner.decode ? undefined : runtime.eventStore,
    largest: largestLetter(runtime.config.config.server.max_received_bytes),
  };
}

async function planOf(
  runtime: DomainRuntime,
  runner: HandlerRunner,
  facts: Omit<WindowPlan, "places">,
): Promise<WindowPlan> {
  const sources = sourcesOf(runtime, runner);
  if (!sources.broker.deadLetters.feed) throw noFeed(sources.broker);
  const lanes = lanesOf(runtime.config.config);
  const places: PlannedPlace[] = [];
  for (const category of runner.categories) {
    assertCanReplay(runtime, runner, category, facts.marks);
    const backfill = lanes?.backfillOf(runner, category);
    for (const stream of backfill === undefined ? [category] : [category, backfill]) {
      const place = await placeOf(sources, { stream, category, group: runner.group, from: facts.from });
      // The event store has both lanes in one.
      const again = place?.source === "event_store" && places.some((other) => other.stream === place.stream);
      if (place && !again) places.push({ ...place, category, mark: "" });
    }
  }
  return { ...facts, places };
}

function assertCanReplay(
  runtime: DomainRuntime,
  handler: HandlerRunner,
  category: string,
  marks: "keep" | "ignore",
): void {
  const settings = resolveSettings({ config: runtime.config, handler, category });
  if (settings.subscriptionType === "event_store") {
    throw new ProteanError(
      `${handler.name} reads '${category}' from the event store, so it has no replay lane: let it read the stream ` +
        "for the replay.",
      { code: "WINDOW_NO_LANE" },
    );
  }
  if (runtime.partitionFields.has(category) && !runtime.eventStore) {
    throw new ProteanError(
      `The messages of '${category}' lie in one stream a key, and there is no event store to read their order from: ` +
        "configure [event_store].",
      { code: "WINDOW_NO_LANE" },
    );
  }
  if (marks === "keep" && !settings.idempotent) {
    throw new ProteanError(
      `${handler.name} is not idempotent, so nobody knows what it has handled: make it idempotent, or have it handle ` +
        "everything again with --marks ignore.",
      { code: "WINDOW_NO_MARKS" },
    );
  }
}

function runnerNamed({ runners }: DomainRuntime, name: string): HandlerRunner {
  const found = runners.find((runner) => runner.name === name);
  if (found) return found;
  const names = runners.map(({ name }) => name);
  throw new ProteanError(`No handler is called '${name}'.${didYouMean(name, names)}`, {
    code: "SUBSCRIPTION_UNKNOWN",
  });
}

function assertSpan({ from, to, rate, marks }: WindowOptions): void {
  for (const [name, time] of Object.entries({ from, to })) {
    if (time instanceof Date && Number.isFinite(time.getTime())) continue;
    throw new IncorrectUsageError(
      `'${name}' of a window takes a valid Date: current value is ${String(time)}.`,
    );
  }
  if (from >= to) {
    throw new IncorrectUsageError(
      `'from' (${timeText(from)}) of a window must be before 'to' (${timeText(to)}).`,
    );
  }
  if (rate !== undefined && !(rate > 0 && Number.isFinite(rate))) {
    throw new IncorrectUsageError(`'rate' takes a number above 0: current value is ${String(rate)}.`);
  }
  if (marks !== undefined && marks !== "keep" && marks !== "ignore") {
    throw new IncorrectUsageError(`'marks' takes keep or ignore: current value is ${String(marks)}.`);
  }
}

function timeText(time: Date): string {
  return time instanceof Date && Number.isFinite(time.getTime()) ? time.toISOString() : String(time);
}

/** The last message that was sent, and how many were. */
function fromMark(mark: string): [after: string | undefined, sent: number] {
  const [after, sent] = mark.split("|");
  return after === undefined || after === "" ? [undefined, 0] : [after, Number(sent)];
}

function noFeed({ name }: BaseBroker): NotSupportedError {
  return new NotSupportedError(`Broker '${name}' cannot give a group messages once more: use one that can.`);
}
