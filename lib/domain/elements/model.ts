/**
 * The declared elements put together: which type strings can be read, who handles what, and on which streams.
 *
 * @module
 */
import { commandCategory } from "../../message/names.ts";
import { KINDS } from "../kinds.ts";
import type { Elements, HandlerDefinition } from "./elements.ts";
import { ANY, isBatchHandling } from "./on.ts";
import type { DomainIdentity } from "./identity.ts";
import type { MessageDefinition } from "./message_definition.ts";
import { type Reader, readersOf } from "./payload_reader.ts";
import type { Batching } from "../handler_port.ts";
import type { BatchHandling, Handling } from "../types.ts";

/** Methods of a handler, of one message or of many; one of these is there. */
export interface HandlerMethod {
  readonly handle?: Handling["handle"];
  readonly handleMany?: BatchHandling["handle"];
  /** Key of its idempotency marks: the group, and `#1`, `#2`… for further methods of the same type. */
  readonly key: string;
}

/** What a handler does with one type string. */
export interface Route {
  readonly reader: Reader;
  readonly methods: readonly HandlerMethod[];
  /** Messages that have the very same may be handled together. Undefined: one at a time. */
  readonly batching: Batching | undefined;
}

/** A handler with everything looked up. */
export interface HandlerModel {
  readonly definition: HandlerDefinition;
  readonly group: string;
  readonly categories: readonly string[];
  /** By type string, older versions included. */
  readonly routes: ReadonlyMap<string, Route>;
  /** For every other type. */
  readonly catchAll: readonly HandlerMethod[];
  /** Of a projector with `batch`, for whatever it handles. */
  readonly batching: Batching | undefined;
}

export interface Model {
  /** Every registered message by its type string. */
  readonly messages: ReadonlyMap<string, MessageDefinition>;
  /** Every type string that can be read. */
  readonly readers: ReadonlyMap<string, Reader>;
  readonly handlers: readonly HandlerModel[];
}

/** Puts the elements together, whatever is wrong with them: `element_problems.ts` tells that. */
export function buildModel(domain: DomainIdentity, elements: Elements): Model {
  const messages = new Map(elements.messages.map((message) => [message.typeString, message]));
  const readers = new Map([...messages.values()].flatMap((message) => [...readersOf(message)]));
  const handlers = elements.handlers.map((definition) => handlerModel(domain, definition, messages, readers));
  return { messages, readers, handlers };
}

function handlerModel(
  domain: DomainIdentity,
  definition: HandlerDefinition,
  messages: Model["messages"],
  readers: Model["readers"],
): HandlerModel {
  const { options, name } = definition;
  const group = options.consumerGroup ?? `${domain.normalizedName}.${name}`;
  const batching = (options.batch ?? 1) > 1 ? { size: options.batch ?? 1, maxWaitMs: 0 } : undefined;
  const batchings = new Map(
    options.handles.filter(isBatchHandling).map(({ type, size, maxWaitMs }) => [type, { size, maxWaitMs }]),
  );
  const catchAll = methodsOf(options.handles, ANY, group);
  const routes = new Map<string, Route>();
  for (const [type, reader] of readers) {
    const own = methodsOf(options.handles, reader.message.typeString, group);
    const methods = own.length > 0 ? own : catchAll;
    if (methods.length === 0) continue;
    routes.set(type, { reader, methods, batching: batchings.get(reader.message.typeString) ?? batching });
  }
  return { definition, group, categories: categoriesOf(definition, messages), routes, catchAll, batching };
}

function methodsOf(
  handles: HandlerDefinition["options"]["handles"],
  type: string,
  group: string,
): readonly HandlerMethod[] {
  return handles.filter((handling) => handling.type === type).map((handling, index) => {
    const key = index === 0 ? group : `${group}#${index}`;
    return isBatchHandling(handling)
      ? { handleMany: handling.handle, key }
      : { handle: handling.handle, key };
  });
}

/**
 * The categories a handler subscribes to. Commands travel on the category of the aggregate they are part of,
 * so a handler of another aggregate's command must listen there too, or would never see it.
 */
function categoriesOf(definition: HandlerDefinition, messages: Model["messages"]): readonly string[] {
  const ofCommands = KINDS[definition.kind].messages === "command";
  const implied = definition.options.handles.flatMap(({ type }) => {
    const aggregate = messages.get(type)?.aggregate;
    if (!aggregate) return [];
    return [ofCommands ? commandCategory(aggregate.category) : aggregate.category];
  });
  const declared = definition.categories;
  if (declared && !ofCommands) return [...new Set(declared)];
  return [...new Set([...declared ?? [], ...implied])];
}
