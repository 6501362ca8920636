/**
 * What can be wrong with the elements of a domain. Each rule yields every violation; `init` reports them
 * together.
 *
 * @module
 */
import type { ErrorCode } from "../../error_codes.ts";
import type { ConfigurationProblem } from "../../errors.ts";
import { KINDS } from "../kinds.ts";
import { MAIN_BROKER } from "../places.ts";
import type { Elements } from "./elements.ts";
import { ANY } from "./on.ts";
import type { HandlerModel, Model } from "./model.ts";
import { partitionProblems } from "./partitioning.ts";
import { probeSchema } from "./schema_probe.ts";

/** PostgreSQL cuts longer names off, and two tables might become one. */
const MAX_TABLE_NAME = 63;

/** Every violation, in the order of the rules. */
export function elementProblems(elements: Elements, model: Model): readonly ConfigurationProblem[] {
  return [
    ...duplicates(elements, model),
    ...tableNames(elements),
    ...upcasters(elements),
    ...model.handlers.flatMap((handler) => [...handlings(handler, model)]),
    ...commandsHandledTwice(model),
    ...sharedGroups(model),
    ...partitionProblems(model),
    ...schemas(elements),
  ];
}

function problem(code: ErrorCode, message: string): ConfigurationProblem {
  return { code, message };
}

function* duplicates(elements: Elements, model: Model): Generator<ConfigurationProblem> {
  const { aggregates, messages, projections } = elements;
  // Those of one name share all the rest as well, which need not be said.
  const tables = [...byName(aggregates), ...byName(projections)].map(({ table }) => table);
  const lists: [string, readonly string[]][] = [
    ["aggregate", aggregates.map(({ name }) => name)],
    ["projection", projections.map(({ name }) => name)],
    ["event or command", messages.map(({ typeString }) => typeString.replace(/\.v\d+$/, ""))],
    ["handler", model.handlers.map(({ definition }) => definition.name)],
    ["table", tables],
    ["stream category", byName(aggregates).map(({ category }) => category)],
  ];
  for (const [kind, names] of lists) {
    for (const name of repeated(names)) {
      yield problem(
        "CONFIG_DUPLICATE_ELEMENT",
        `Two elements share the ${kind} '${name}': rename one of them.`,
      );
    }
  }
}

function byName<E extends { readonly name: string }>(elements: readonly E[]): readonly E[] {
  return [...new Map(elements.map((element) => [element.name, element])).values()];
}

function* tableNames({ aggregates, projections }: Elements): Generator<ConfigurationProblem> {
  for (const { name, table } of [...aggregates, ...projections]) {
    if (table.length > MAX_TABLE_NAME) {
      yield problem(
        "CONFIG_NAME_TOO_LONG",
        `The table of ${name} would be called '${table}', which is longer than ${MAX_TABLE_NAME} characters: choose a ` +
          "shorter name.",
      );
    }
  }
}

function* upcasters({ messages }: Elements): Generator<ConfigurationProblem> {
  for (const { name, version, upcasters } of messages) {
    for (const from of Object.keys(upcasters)) {
      const number = Number(from);
      if (Number.isInteger(number) && number >= 1 && number < version) continue;
      yield problem(
        "CONFIG_UPCASTER",
        `Event ${name} has version ${version} and an upcaster from version ${from}: an upcaster's key is the older ` +
          `version it reads, from 1 to ${version - 1}.`,
      );
    }
  }
}

function* handlings({ definition, categories }: HandlerModel, model: Model): Generator<ConfigurationProblem> {
  const { name, options } = definition;
  const kind = KINDS[definition.kind];
  if (options.handles.length === 0) {
    yield problem("CONFIG_HANDLES_NOTHING", `${name} handles nothing: give it 'handles: [on(…)]'.`);
  }
  for (const type of new Set(options.handles.map((handling) => handling.type))) {
    const message = model.messages.get(type);
    if (type === ANY) {
      if (kind.messages === "command") {
        yield problem(
          "CONFIG_COMMAND_CATCH_ALL",
          `${name} is ${kind.label} and uses onAny: name every command with on(…).`,
        );
      }
    } else if (!message) {
      yield problem(
        "CONFIG_UNKNOWN_TYPE",
        `${name} handles '${type}', which is not registered on this domain: declare it, or use ` +
          "domain.externalEvent(…) for another domain's event.",
      );
    } else if (kind.messages !== "raw" && kind.messages !== message.kind) {
      yield problem(
        "CONFIG_WRONG_KIND",
        `${name} is ${kind.label} and handles the ${message.label}: commands belong to a command handler, events to all others.`,
      );
    }
  }
  if (categories.length === 0 && options.handles.length > 0) {
    yield problem(
      "CONFIG_NO_CATEGORY",
      `${name} does not say which streams to read: give it streamCategories, such as ['shop::order'].`,
    );
  }
}

function* commandsHandledTwice(model: Model): Generator<ConfigurationProblem> {
  for (const [type, message] of model.messages) {
    if (message.kind !== "command") continue;
    const handlers = model.handlers.flatMap(({ definition }) =>
      definition.options.handles.filter((handling) => handling.type === type).map(() => definition.name)
    );
    if (handlers.length > 1) {
      yield problem(
        "CONFIG_COMMAND_HANDLED_TWICE",
        `Command ${message.name} is handled ${handlers.length} times, by ${
          [...new Set(handlers)].join(" and ")
        }: ` +
          "exactly one method handles a command.",
      );
    }
  }
}

/** Two handlers in one group would each see a part of the messages only. */
function* sharedGroups(model: Model): Generator<ConfigurationProblem> {
  const groups = model.handlers.flatMap(({ group, categories, definition: { broker = MAIN_BROKER } }) =>
    categories.map((category) =>
      `'${group}' on '${category}'${broker === MAIN_BROKER ? "" : ` of broker '${broker}'`}`
    )
  );
  for (const group of repeated(groups)) {
    yield problem(
      "CONFIG_SHARED_GROUP",
      `Two handlers have the consumer group ${group}: each would miss what the other reads.`,
    );
  }
}

function* schemas({ aggregates, messages, projections }: Elements): Generator<ConfigurationProblem> {
  const labelled = [
    ...aggregates.map(({ name, schema }) => ({ what: `The state of aggregate ${name}`, schema })),
    ...messages.map(({ label, schema }) => ({ what: `The data of ${label}`, schema })),
    ...projections.map(({ name, schema }) => ({ what: `The row of projection ${name}`, schema })),
  ];
  for (const { what, schema } of labelled) {
    const found = probeSchema(schema, what);
    if (found) yield found;
  }
}

function repeated(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.filter((name, index) => names.indexOf(name) !== index));
}
