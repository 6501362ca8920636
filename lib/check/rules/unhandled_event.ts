/** Rule: events that nobody handles (wire 8.5). @module */
import { KINDS } from "../../domain/kinds.ts";
import type { RuleOf } from "../rule.ts";

export const unhandledEvent: RuleOf<"domain"> = {
  code: "UNHANDLED_EVENT",
  level: "warning",
  category: "domain",
  stage: "domain",
  fires: "an event of the domain has neither a handler nor a projector and is not `published`.",
  rationale:
    "It is written, published and kept, and has no effect: most likely a handler or its registration is missing.",
  remedy:
    "Add a handler with on(Event, …), declare the event as published where another domain reads it, or remove it.",
  mend: "handles: [on(OrderPlaced, async (event, ctx) => { … })]",
  *find({ messages, model }) {
    for (const { kind, name, typeString, published, aggregate } of messages) {
      if (kind !== "event" || published) continue;
      const handled = model.handlers.some(({ definition, routes, catchAll, categories }) =>
        KINDS[definition.kind].messages !== "command" &&
        (routes.has(typeString) && !isCatchAllOnly(definition, typeString) ||
          catchAll.length > 0 && aggregate !== undefined && categories.includes(aggregate.category))
      );
      if (!handled) {
        yield { element: name, message: `No handler and no projector handles the event ${name}.` };
      }
    }
  },
};

function isCatchAllOnly(
  { options }: { readonly options: { readonly handles: readonly { readonly type: string }[] } },
  type: string,
): boolean {
  return !options.handles.some((handling) => handling.type === type);
}
