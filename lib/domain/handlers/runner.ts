/**
 * Handlers at work: judging messages and running the methods that want them.
 *
 * @module
 */
import type { Mark } from "../../adapters/ports.ts";
import { asError, CommitRefusedError, DeserializationError, IncorrectUsageError } from "../../errors.ts";
import { canonicalJson } from "../../message/canonical.ts";
import { checksumOf } from "../../message/checksum.ts";
import { camelDomain, parseTypeString } from "../../message/names.ts";
import { parseTime } from "../../message/time.ts";
import { unstorableMetadata } from "../../message/storable.ts";
import type { Message } from "../../message/types.ts";
import { KINDS } from "../kinds.ts";
import { WorkContext } from "../work/context.ts";
import { type Outcome, runUnitOfWork, type UnitOptions } from "../work/run_unit.ts";
import type {
  Batching,
  BatchMember,
  BatchResult,
  HandlerKind,
  HandlerRunner,
  RunOptions,
  Verdict,
} from "../handler_port.ts";
import { type AccessEntry, AccessLog } from "./access_log.ts";
import { type BatchEntry, BatchRun } from "./batch_run.ts";
import { type TransientPolicy, transientPolicy } from "../work/transient.ts";
import { Tries } from "./tries.ts";
import type { Reader } from "../elements/payload_reader.ts";
import { ANY } from "../elements/on.ts";
import { boundedId } from "../elements/identity.ts";
import type { HandlerOptions } from "../types.ts";
import type { HandlerMethod, HandlerModel, Model } from "../elements/model.ts";
import type { HandlerSpan } from "../observer.ts";
import type { WorkRuntime } from "../runtime.ts";
import { OUTSIDE } from "../work/outgoing.ts";
import { type Guard, refusal } from "../work/sessions.ts";
import type { UnitOfWork } from "../work/unit_of_work.ts";

// What an idempotency mark is keyed by (delivery 10).

/** Where a message was found: what tells it apart when its headers do not. */
type Found = Pick<RunOptions, "id" | "source" | "generation">;

/**
 * `headers.id`, which is unique to its message. A message without one is identified by where it was first
 * read, a command whose id is only the id part of its stream, as Python writes them, by the broker's id;
 * either by its position in the event store where no broker had it. The last resort of such a command is its
 * time. Another system's message is identified by where it was first read, whatever it says of itself.
 * Undefined: nothing tells it from others, so it gets no mark.
 */
export function markId({ metadata }: Message, found: Found = {}): string | undefined {
  const { id, stream, time } = metadata.headers;
  // What others say of their own messages tells none apart.
  if (metadata.domain.kind === "BROKER_MESSAGE") return found.source ?? found.id;
  const position = metadata.event_store?.global_position ?? undefined;
  if (id === "") return found.source ?? found.id ?? position?.toString();
  if (metadata.domain.kind !== "COMMAND" || stream.slice(stream.indexOf("-") + 1) !== id) return id;
  return found.id ?? position?.toString() ?? (time === null ? undefined : `${id}@${time}`);
}

/** What `judge` hands to `run`. */
interface Plan {
  readonly payload: unknown;
  /** Makes the payload again; undefined where the type is not known. */
  readonly reader?: Reader;
  readonly methods: readonly HandlerMethod[];
  readonly batching?: Batching | undefined;
}

/** One method's part in a message. */
type Handling =
  & Pick<UnitOptions, "origin" | "guard" | "mark" | "fresh" | "spread" | "turn">
  & { readonly access: AccessEntry | undefined };

/** Of a run that a mark has made needless. */
const DUPLICATE = { duplicate: true };

const IGNORED: Verdict = { kind: "ignored" };
const FOREIGN: Verdict = { kind: "foreign" };
const EXPIRED: Verdict = { kind: "expired" };

export class ElementRunner implements HandlerRunner {
  readonly name: string;
  readonly kind: HandlerKind;
  readonly group: string;
  readonly sharedGroup: boolean;
  readonly categories: readonly string[];
  readonly options: HandlerRunner["options"];
  readonly onDeadLetter: HandlerRunner["onDeadLetter"];
  readonly broker?: string;
  protected readonly runtime: WorkRuntime;
  protected readonly model: Model;
  protected readonly handler: HandlerModel;
  readonly #idempotent: boolean;
  readonly #access: AccessLog;
  readonly #transient: TransientPolicy | undefined;
  /** First part of the type strings of this domain. */
  readonly #prefix: string;

  /** `idempotent` is what the subscription's settings say; without them, what the handler itself says. */
  constructor(runtime: WorkRuntime, model: Model, handler: HandlerModel, idempotent?: boolean) {
    const { name, kind, options } = handler.definition;
    this.name = name;
    this.kind = kind;
    this.group = handler.group;
    this.sharedGroup = options.consumerGroup !== undefined;
    this.categories = handler.categories;
    this.options = options;
    if (handler.definition.broker !== undefined) this.broker = handler.definition.broker;
    this.runtime = runtime;
    this.model = model;
    this.handler = handler;
    // Handled here, and then met by its subscription: the mark tells it that it is done.
    const isMetTwice = runtime.handleEvents !== undefined && KINDS[kind].messages === "event";
    this.#idempotent = isMetTwice
      ? options.idempotent ?? true
      : idempotent ?? options.idempotent ?? KINDS[kind].idempotent;
    const { logging } = runtime.config.config;
    this.#access = new AccessLog({ handler: name, kind, logging });
    this.#transient = transientPolicy(runtime.config.config.server.transient_retry, options);
    this.#prefix = camelDomain(runtime.name);
    this.onDeadLetter = this.#deadLetterHook(options.onDeadLetter);
  }

  get types(): readonly string[] {
    const { routes, catchAll } = this.handler;
    return [...routes.keys(), ...catchAll.length > 0 ? [ANY] : []];
  }

  #deadLetterHook(hook: HandlerOptions["onDeadLetter"]): HandlerRunner["onDeadLetter"] {
    return hook && (async (letter, message, guard) => {
      const origin = message ? { message, trace: guard.trace ?? null } : OUTSIDE;
      const spread = this.#spreading(guard);
      const options = { name: this.name, origin, guard, repeat: true, spread, turn: this };
      await runUnitOfWork(this.runtime, options, (unit) => {
        return hook(letter, new WorkContext(unit, guard, this.name));
      });
    });
  }

  /** The same handler, as a subscription's settings have it. */
  bind(settings: { readonly idempotent: boolean }): ElementRunner {
    return new ElementRunner(this.runtime, this.model, this.handler, settings.idempotent);
  }

  judge(message: Message): Verdict {
    const verdict = this.#judge(message);
    if (verdict.kind !== "run") return verdict;
    const found = unstorableMetadata(message.metadata);
    if (!found) return verdict;
    const what = `The message's 'metadata.${found.path}' ${found.reason}.`;
    return { kind: "poison", error: new DeserializationError(what) };
  }

  #judge(message: Message): Verdict {
    const { type, deadline } = message.metadata.headers;
    const route = this.handler.routes.get(type);
    if (!route) return this.#unrouted(message);
    if (deadline !== null && this.#isPast(deadline)) return EXPIRED;
    try {
      const plan: Plan = {
        payload: route.reader.read(message.data),
        reader: route.reader,
        methods: route.methods,
        batching: route.batching,
      };
      return { kind: "run", plan };
    } catch (error) {
      return { kind: "poison", error: asError(error) };
    }
  }

  batching(plan: unknown): Batching | undefined {
    return (plan as Plan).batching;
  }

  get mostTogether(): number {
    const { batching, routes } = this.handler;
    const sizes = [...routes.values()].map((route) => route.batching?.size ?? 1);
    return Math.max(1, batching?.size ?? 1, ...sizes);
  }

  async runTogether(members: readonly BatchMember[], guard: RunOptions): Promise<readonly BatchResult[]> {
    const { observer } = this.runtime;
    const spans = members.map(({ message }) => observer.handler?.(this.name, message, this.kind));
    const entries = members.map(({ message, plan, key, options }, index): BatchEntry => {
      const { payload, methods, reader } = plan as Plan;
      // Before a method can have changed anything.
      const mark = this.#idempotent ? this.#mark(message, options) : undefined;
      return {
        ...{ message, key, methods, tries: new Tries(message, payload, reader, options) },
        marks: mark ? methods.map((method) => ({ ...mark, handler: method.key })) : [],
        trace: spans[index]?.trace ?? guard.trace ?? null,
      };
    });
    const { clock } = this.runtime;
    const began = clock.monotonic();
    const ended = (errorOf: (index: number) => Error | undefined) => {
      const ms = clock.monotonic() - began;
      spans.forEach((span, index) => span?.ended(errorOf(index), ms));
      // A batch is slow as a whole: where nobody wants to hear of each message, that is told with its first.
      const batch = { batch: entries.length };
      entries.forEach((entry, index) => {
        const access = this.#access.entry(began);
        if (access || index === 0) this.#access.ended(ms, entry, access, errorOf(index), batch);
      });
    };
    try {
      const results = await this.#batchRun(guard, entries).run(entries);
      ended((index) => {
        const result = results[index];
        return result?.kind === "failed" ? result.error : undefined;
      });
      return results;
    } catch (error) {
      ended(() => asError(error));
      throw error;
    }
  }

  #batchRun(guard: RunOptions, entries: readonly BatchEntry[]): BatchRun {
    const unit = {
      ...{ name: this.name, guard, transient: this.#transient, spread: this.#spreading(guard), turn: this },
    };
    return new BatchRun({ runtime: this.runtime, unit, handleMany: entries[0]?.methods[0]?.handleMany });
  }

  run(message: Message, plan: unknown, options: RunOptions): Promise<"handled" | "duplicate"> {
    // A batch of one.
    if ((plan as Plan).methods[0]?.handleMany) return this.#runAlone(message, plan, options);
    return this.#run(message, plan, options);
  }

  async #runAlone(
    message: Message,
    plan: unknown,
    options: RunOptions,
  ): Promise<"handled" | "duplicate"> {
    const [result] = await this.runTogether([{ message, plan, key: "", options }], options);
    if (result?.kind === "failed") throw result.error;
    return result?.kind === "duplicate" ? "duplicate" : "handled";
  }

  async #run(message: Message, plan: unknown, options: RunOptions): Promise<"handled" | "duplicate"> {
    const { payload, methods, reader } = plan as Plan;
    const { clock } = this.runtime;
    const began = options.startedAt ?? clock.monotonic();
    const access = this.#access.entry(began);
    const tries = new Tries(message, payload, reader, options);
    // Before a method can have changed anything.
    const first = this.#idempotent ? this.#mark(message, options) : undefined;
    const failures: Error[] = [];
    let result: "handled" | "duplicate" = "duplicate";
    const span = this.#span(message);
    const origin = { message, trace: span?.trace ?? options.trace ?? null };
    for (const method of methods) {
      try {
        // Also behind one that returned all the same: it may have touched nothing, or have stopped there.
        if (!options.mayCommit()) throw refusal();
        const mark = first && { ...first, handler: method.key };
        const spread = this.#spreading(options);
        const outcome = await this.#handle(method, tries, {
          origin,
          guard: options,
          mark,
          // Where events are handled here and then met by their subscription, they are met twice as a rule.
          fresh: options.fresh === true && this.runtime.handleEvents === undefined,
          spread,
          turn: this,
          access,
        });
        if (outcome.kind === "done") result = "handled";
      } catch (thrown) {
        const error = asError(thrown);
        failures.push(error);
        // Its siblings still run (PIPE-15), but not on behalf of somebody else: the message is delivered
        // again.
        if (error instanceof CommitRefusedError || !options.mayCommit()) break;
      }
    }
    const failure = failures.length > 1
      ? new AggregateError(
        failures,
        `${failures.length} of ${methods.length} methods of ${this.name} failed: ${failures[0]?.message}`,
      )
      : failures[0];
    const ms = clock.monotonic() - began;
    const isDuplicate = result === "duplicate" && !failure;
    this.#access.ended(ms, origin, access, failure, isDuplicate ? DUPLICATE : undefined);
    span?.ended(failure, ms);
    if (failure) throw failure;
    return result;
  }

  /**
   * Handles a command here and now; returns what its method returns. `again` reads the command anew,
   * `prepare` adds to the unit of work, `mark` makes it happen once (then it returns undefined).
   */
  async handleNow(
    message: Message,
    again: () => Message,
    guard: Guard,
    prepare: (unit: UnitOfWork) => void,
    mark: Mark | undefined,
  ): Promise<unknown> {
    const route = this.handler.routes.get(message.metadata.headers.type);
    const method = route?.methods[0];
    if (!method) {
      throw new IncorrectUsageError(`${this.name} does not handle ${message.metadata.headers.type}.`);
    }
    const tries = new Tries(message, route.reader.read(message.data), route.reader, { again });
    const { clock } = this.runtime;
    const began = clock.monotonic();
    const access = this.#access.entry(began);
    const span = this.#span(message);
    const origin = { message, trace: span?.trace ?? null };
    const ended = (error?: Error, more?: typeof DUPLICATE) => {
      const ms = clock.monotonic() - began;
      this.#access.ended(ms, origin, access, error, more);
      span?.ended(error, ms);
    };
    try {
      const outcome = await this.#handle(method, tries, { origin, guard, mark, access }, prepare);
      const isDone = outcome.kind === "done";
      ended(undefined, isDone ? undefined : DUPLICATE);
      return isDone ? outcome.value : undefined;
    } catch (error) {
      ended(asError(error));
      throw error;
    }
  }

  /** One handler run as the domain's observer sees it; what it writes carries its trace on, where that has one. */
  #span(message: Message): HandlerSpan | undefined {
    return this.runtime.observer.handler?.(this.name, message, this.kind);
  }

  #handle(
    method: HandlerMethod,
    tries: Tries,
    { origin, guard, mark, fresh, spread, turn, access }: Handling,
    prepare?: (unit: UnitOfWork) => void,
  ): Promise<Outcome<unknown>> {
    // Written out: this is the way of every message.
    const options: UnitOptions = {
      name: this.name,
      repeat: true,
      transient: this.#transient,
      origin,
      guard,
      mark,
      fresh,
      spread,
      turn,
    };
    return runUnitOfWork(this.runtime, options, (unit) => {
      prepare?.(unit);
      access?.works(unit);
      const { payload, message } = tries.next();
      return method.handle?.(payload, new WorkContext(unit, guard, this.name, message));
    });
  }

  /** Its events are somebody else's to handle, or handled here; their failures are none of its message's. */
  #spreading(options: RunOptions): UnitOptions["spread"] {
    const { handleEvents } = this.runtime;
    if (!handleEvents) return undefined;
    if (options.spread) return (committed) => options.spread?.(committed);
    // Their subscriptions handle them again.
    return (committed) => handleEvents(committed, options).catch(() => {});
  }

  /** Of a message; each method has its own key. */
  #mark(message: Message, found: Found): Omit<Mark, "handler"> | undefined {
    const messageId = markId(message, found);
    if (messageId === undefined) return undefined;
    const { headers, envelope } = message.metadata;
    const { generation } = found;
    return {
      type: boundedId(headers.type),
      messageId: boundedId(generation === undefined ? messageId : `${messageId} again ${generation}`),
      checksum: envelope.checksum ?? checksumOfValue(message.data),
    };
  }

  /** No method is declared for this type string (delivery 5). */
  #unrouted(message: Message): Verdict {
    const { type } = message.metadata.headers;
    if (this.model.readers.has(type)) return IGNORED;
    const { catchAll } = this.handler;
    if (catchAll.length > 0) {
      const plan: Plan = { payload: message.data, methods: catchAll, batching: this.handler.batching };
      return { kind: "run", plan };
    }
    const parts = parseTypeString(type);
    if (parts && parts.domain !== this.#prefix) return FOREIGN;
    return { kind: "poison", error: unreadable(type) };
  }

  #isPast(deadline: string): boolean {
    const time = parseTime(deadline);
    return time !== undefined && time <= this.runtime.clock.now();
  }
}

/**
 * For a message that carries none, so that a repetition is told from another message there too. Of the value,
 * since one writer prints 10.0 where another prints 10. Undefined for what is nested too deep to be written.
 */
function checksumOfValue(data: Message["data"]): string | undefined {
  try {
    return checksumOf(canonicalJson(data));
  } catch {
    return undefined;
  }
}

function unreadable(type: string): DeserializationError {
  return new DeserializationError(
    `'${
      String(type).slice(0, 200)
    }' is not registered on this domain, nor is a version that an upcaster could read it ` +
      "as: declare it, add an upcaster, or give the handler an onAny.",
  );
}
