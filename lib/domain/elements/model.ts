/**
 * The declared elements put together: which type strings can be read, who handles what, and on which streams.
 *
 * @module
 */
import { commandCategory } from "../../message/names.ts";
import { KINDS } from "../kinds.ts";
import type { Elements, HandlerDefinition } from "./elements.ts";
import { ANY } from "./on.ts";
import type { DomainIdentity } from "./identity.ts";
import type { MessageDefinition } from "./message_definition.ts";
import { type Reader, readersOf } from "./payload_reader.ts";
import type { Handling } from "../types.ts";

/** One method of a handler. */
export interface HandlerMethod {
  readonly handle: Handling["handle"];
  /** Key of its idempotency marks: the group, and `#1`, `#2`… for further methods of the same type. */
  readonly key: string;
}

/** What a handler does with one type string. */
export interface Route {
  readonly reader: Reader;
  readonly methods: readonly HandlerMethod[];
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
  const catchAll = methodsOf(options.handles, ANY, group);
  const routes = new Map<string, Route>();
  for (const [type, reader] of readers) {
    const own = methodsOf(options.handles, reader.message.typeString, group);
    const methods = own.length > 0 ? own : catchAll;
    if (methods.length > 0) routes.set(type, { reader, methods });
  }
  return { definition, group, categories: categoriesOf(definition, messages), routes, catchAll };
}

function methodsOf(handles: readonly Handling[], type: string, group: string): readonly HandlerMethod[] {
  return handles.filter((handling) => handling.type === type)
    .map(({ handle }, index) => ({ handle, key: index === 0 ? group : `${group}#${index}` }));
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
