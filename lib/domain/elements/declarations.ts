/**
 * The declaring half of a domain: every method makes one element and notes it.
 *
 * @module
 */
import { endingWithHint } from "../../config/nearest.ts";
import { shown } from "../../config/secrets.ts";
import { IncorrectUsageError, NotSupportedError } from "../../errors.ts";
import {
  camelDomain,
  commandCategory,
  normalizedDomain,
  parseTypeString,
  typeString,
} from "../../message/names.ts";
import { unstorable } from "../../message/storable.ts";
import { MAIN_BROKER } from "../places.ts";
import { AggregateDefinition, aggregateOf } from "./aggregate.ts";
import type {
  AggregateOptions,
  CommandHandlerOptions,
  CommandOptions,
  EventHandlerOptions,
  EventOptions,
  ExternalEventOptions,
  ProcessManagerOptions,
  ProjectionOptions,
  ProjectorOptions,
  SubscriberOptions,
} from "../options.ts";
import { Elements } from "./elements.ts";
import type { CheckOptions, CheckRun } from "../check.ts";
import type { DlqAlertListener } from "../dlq_alert.ts";
import { checkOf } from "./check_options.ts";
import { assertBatches } from "./batch_options.ts";
import { assertHandlerOptions } from "./handler_options.ts";
import type { HandlerKind } from "../handler_port.ts";
import { assertName, type DomainIdentity } from "./identity.ts";
import { EXTERNAL, MessageDefinition } from "./message_definition.ts";
import { ProjectionDefinition, projectionOf } from "./projection.ts";
import { onAny } from "./on.ts";
import type { AggregateType, HandlerOptions, MessageType, ProjectionType, Row, Schema } from "../types.ts";

/** What a subscriber says beside where it reads and what it does. */
const SUBSCRIBER_OPTIONS: readonly string[] = [
  "idempotent",
  "concurrency",
  "consumerGroup",
  "subscriptionConfig",
  "onDeadLetter",
] satisfies readonly (keyof SubscriberOptions)[];

export class Declarations {
  protected readonly elements: Elements = new Elements();
  protected readonly identity: DomainIdentity;

  constructor(identity: DomainIdentity) {
    this.identity = identity;
  }

  /**
   * An aggregate: the unit that is loaded, changed and saved as a whole, and that raises events.
   *
   * @example
   * ```ts
   * const Order = domain.aggregate("Order", { schema: z.object({ id: z.string(), amount: z.number() }) });
   * ```
   */
  aggregate<A extends string, S extends Schema>(name: A, options: AggregateOptions<S>): AggregateType<S, A> {
    this.elements.assertOpen("aggregate", name);
    const definition = new AggregateDefinition<S, A>(this.identity, name, options);
    this.elements.aggregates.push(definition);
    return definition;
  }

  /**
   * An event that instances of `partOf` raise.
   *
   * @example
   * ```ts
   * const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema: z.object({ orderId: z.string() }) });
   * ```
   */
  event<S extends Schema, A extends string, T extends Schema>(
    name: string,
    options: EventOptions<S, A, T>,
  ): MessageType<S, A> {
    this.elements.assertOpen("event", name);
    const { partOf, schema, version = 1, published = false, upcasters = {}, apply } = options;
    if (apply) {
      throw new IncorrectUsageError(
        `Event ${name} has an apply function, which is for event-sourced aggregates: ${partOf.name} stores its state, so ` +
          "change it with update(…).",
      );
    }
    return this.#message("event", name, partOf, { schema, version, published, upcasters });
  }

  /**
   * Another domain's event, by its type string.
   *
   * @example
   * ```ts
   * const Paid = domain.externalEvent("Shop.Paid.v1", { schema: z.object({ orderId: z.string() }) });
   * ```
   */
  externalEvent<S extends Schema>(
    type: string,
    options: ExternalEventOptions<S>,
  ): MessageType<S, "(external)"> {
    this.elements.assertOpen("external event", type);
    const parts = parseTypeString(type);
    if (!parts) {
      throw new IncorrectUsageError(
        `'${type}' is not a type string: name an external event as its domain does, such as 'Shop.Paid.v1'.`,
      );
    }
    const { name, version } = parts;
    const { schema } = options;
    const definition = new MessageDefinition({
      kind: "event",
      name,
      version,
      typeString: type,
      schema,
      partOf: EXTERNAL,
    });
    this.elements.messages.push(definition);
    return definition;
  }

  /**
   * A command that is addressed to an instance of `partOf`.
   *
   * @example
   * ```ts
   * const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema: z.object({ orderId: z.string() }) });
   * ```
   */
  command<S extends Schema, A extends string, T extends Schema>(
    name: string,
    options: CommandOptions<S, A, T>,
  ): MessageType<S, A> {
    this.elements.assertOpen("command", name);
    const { partOf, schema, identity } = options;
    return this.#message("command", name, partOf, {
      schema,
      version: 1,
      ...identity === undefined ? {} : { identity },
    });
  }

  /**
   * A read model, kept in a database or in a cache.
   *
   * @example
   * ```ts
   * const OrderSummary = domain.projection("OrderSummary", { schema: z.object({ id: z.string(), total: z.number() }) });
   * ```
   */
  projection<S extends Schema>(name: string, options: ProjectionOptions<S>): ProjectionType<S> {
    this.elements.assertOpen("projection", name);
    const definition = new ProjectionDefinition(this.identity, name, options);
    this.elements.projections.push(definition);
    return definition;
  }

  /**
   * Handles commands. Each command has exactly one method in the domain.
   *
   * @example
   * ```ts
   * domain.commandHandler("OrderCommandHandler", {
   *   partOf: Order,
   *   handles: [on(PlaceOrder, ({ orderId }, ctx) => ctx.repository(Order).add(Order.create({ id: orderId, amount: 0 })))],
   * });
   * ```
   */
  commandHandler(name: string, options: CommandHandlerOptions): void {
    const { category } = this.#own(options.partOf, name);
    this.#handler("command_handler", name, options, [commandCategory(category)]);
  }

  /**
   * Handles events of an aggregate's category, or of any other.
   *
   * @example
   * ```ts
   * domain.eventHandler("Shipping", {
   *   partOf: Order,
   *   subscriptionProfile: SubscriptionProfile.PRODUCTION,
   *   idempotent: true,
   *   handles: [on(OrderPlaced, ({ orderId }, ctx) => ctx.sql`insert into shipments (order_id) values (${orderId})`)],
   * });
   * ```
   */
  eventHandler(name: string, options: EventHandlerOptions): void {
    const category = "partOf" in options ? this.#own(options.partOf, name).category : options.streamCategory;
    this.#handler("event_handler", name, options, [category]);
  }

  /** Keeps a projection up to date with events. */
  projector(name: string, options: ProjectorOptions): void {
    const projection = projectionOf(options.projection);
    if (projection.domain !== this.identity) throw foreign(`the projection ${projection.name}`, name);
    this.#handler("projector", name, options, options.streamCategories);
  }

  /**
   * Handles another system's stream: translates what is on it into commands, aggregates and views of this
   * domain. Entries are handled at least once, retried and dead-lettered to `<stream>:dlq` as a handler's are;
   * those of one `metadata.headers.stream` in their order, all others as each comes. What is not a JSON object
   * is dead-lettered at once. Throws `IncorrectUsageError` for options that cannot be right.
   *
   * @example
   * ```ts
   * domain.subscriber("PaymentSubscriber", {
   *   stream: "payments",
   *   idempotent: true,
   *   handle: (payload, ctx) => ctx.process(RecordPayment, paymentSchema.parse(payload)),
   * });
   * ```
   */
  subscriber(name: string, options: SubscriberOptions): void {
    const { broker = MAIN_BROKER, stream, handle, ...subscription } = options;
    for (const [key, value] of Object.entries({ stream, broker })) {
      if (typeof value === "string" && value !== "" && unstorable(value) === undefined) continue;
      throw new IncorrectUsageError(
        `The subscriber ${name} needs the name of a ${key}: current value of '${key}' is ${
          shown(key, value)
        }.`,
      );
    }
    if (typeof handle !== "function") {
      throw new IncorrectUsageError(`The subscriber ${name} needs a function 'handle': (payload, ctx) => ….`);
    }
    for (const key of Object.keys(subscription)) {
      if (SUBSCRIBER_OPTIONS.includes(key)) continue;
      throw new IncorrectUsageError(
        `The subscriber ${name} has an option '${key}' that subscribers do not have${
          endingWithHint(key, ["broker", "stream", "handle", ...SUBSCRIBER_OPTIONS])
        }`,
      );
    }
    const handles = [onAny((payload, ctx) => handle(payload as Row, ctx))];
    this.#handler("subscriber", name, { ...subscription, handles }, [stream], broker);
  }

  /** A process over several aggregates. Not in this version: throws `NotSupportedError`. */
  processManager<P extends Schema>(name: string, _options: ProcessManagerOptions<P>): void {
    throw notYet(
      "process manager",
      name,
      "keep the state of the process in an aggregate and use event handlers",
    );
  }

  /**
   * Tells `notify` when dead letters pile up, beside `alert_callback` and `alert_webhook` of `[server.dlq]`.
   * It may be async and is waited for no longer than ten seconds; that it fails is logged and stops nothing.
   * Throws `IncorrectUsageError` for what is no function, and after `init`.
   *
   * @example
   * ```ts
   * domain.onDlqAlert(({ dlqStream, depth }) => console.warn(`${dlqStream} holds ${depth} dead letters`));
   * ```
   */
  onDlqAlert(notify: DlqAlertListener): void {
    if (typeof notify !== "function") {
      throw new IncorrectUsageError(
        "domain.onDlqAlert takes a function: give it one that is called with each alert.",
      );
    }
    this.elements.assertOpen("alert listener", notify.name || "of dead letters");
    this.elements.dlqAlertListeners.push(notify);
  }

  /**
   * Runs `run` in every process of the server, at its start and then every `everySeconds`, for at most
   * `timeoutMs`; its signal aborts then. It fails where it throws, rejects or returns `false`: `/readyz`, the log
   * and the rule `check` of `[alerts]` tell of it with the text of its error, and metrics count it. Readiness goes
   * by it only with `gatesReadiness`. Throws `IncorrectUsageError` for what cannot be right, and after `init`.
   *
   * @example
   * ```ts
   * domain.check("payments", async ({ signal }) => (await fetch("https://pay.example/up", { signal })).ok, {
   *   everySeconds: 30,
   * });
   * ```
   */
  check(name: string, run: CheckRun, options: CheckOptions = {}): void {
    const definition = checkOf(name, run, options, this.elements.checks);
    this.elements.assertOpen("check", name);
    this.elements.checks.push(definition);
  }

  #message<S extends Schema, A extends string, T extends Schema>(
    kind: "event" | "command",
    name: string,
    partOf: AggregateType<T, A>,
    facts: {
      readonly schema: S;
      readonly version: number;
      readonly published?: boolean;
      readonly upcasters?: NonNullable<EventOptions<S, A, T>["upcasters"]>;
      readonly identity?: string;
    },
  ): MessageType<S, A> {
    assertName(kind, name);
    const aggregate = this.#own(partOf, name);
    if (!Number.isInteger(facts.version) || facts.version < 1) {
      throw new IncorrectUsageError(
        `The version of ${kind} ${name} must be a positive whole number: current value is ${facts.version}.`,
      );
    }
    const type = typeString(this.identity.name, name, facts.version);
    const definition = new MessageDefinition<S, A>({
      ...facts,
      kind,
      name,
      typeString: type,
      partOf: aggregate.name,
      aggregate,
    });
    this.elements.messages.push(definition);
    return definition;
  }

  #handler(
    kind: HandlerKind,
    name: string,
    options: HandlerOptions,
    categories: readonly string[] | undefined,
    broker?: string,
  ): void {
    const label = kind.replace("_", " ");
    this.elements.assertOpen(label, name);
    assertName(label, name);
    assertHandlerOptions(name, options);
    assertBatches(kind, name, options);
    this.elements.handlers.push({ kind, name, options, categories, ...(broker !== undefined && { broker }) });
  }

  #own<S extends Schema, A extends string>(
    partOf: AggregateType<S, A>,
    name: string,
  ): AggregateDefinition<S, A> {
    const aggregate = aggregateOf(partOf);
    if (aggregate.domain === this.identity) return aggregate;
    throw foreign(`the aggregate ${aggregate.name}`, name);
  }
}

/** Names of a domain. Throws `IncorrectUsageError` for one of which nothing is left in ASCII. */
export function identityOf(
  name: string,
  now: () => number,
  maxMessageBytes: () => number,
): DomainIdentity {
  const normalizedName = typeof name === "string" ? normalizedDomain(name) : "";
  if (normalizedName === "" || camelDomain(name) === "") {
    throw new IncorrectUsageError(
      `A domain cannot be called '${name}': its name is part of streams and type strings, so give it letters or digits.`,
    );
  }
  return { name, normalizedName, now, maxMessageBytes };
}

function foreign(what: string, name: string): IncorrectUsageError {
  return new IncorrectUsageError(`${name} names ${what} of another domain: declare both on the same one.`);
}

function notYet(kind: string, name: string, instead: string): NotSupportedError {
  return new NotSupportedError(
    `This version does not run the ${kind} ${name} yet: ${instead}, or wait for a later one.`,
  );
}
