/** Rule: handled events on categories that their handler does not read. @module */
import { KINDS } from "../../domain/kinds.ts";
import type { RuleOf } from "../rule.ts";

export const eventNotRead: RuleOf<"domain"> = {
  code: "EVENT_NOT_READ",
  level: "warning",
  category: "domain",
  stage: "domain",
  fires: "a handler handles an event of this domain and does not read the category that it travels on.",
  rationale: "Events of an aggregate travel on its category alone: this one never arrives at the handler.",
  remedy: "Add the category to 'streamCategories'; without them a handler reads what its events travel on.",
  mend: 'streamCategories: ["shop::order", "shop::invoice"]',
  *find({ model }) {
    for (const { definition, categories } of model.handlers) {
      if (KINDS[definition.kind].messages !== "event") continue;
      for (const type of new Set(definition.options.handles.map((handling) => handling.type))) {
        const message = model.messages.get(type);
        const category = message?.aggregate?.category;
        if (!message || category === undefined || categories.includes(category)) continue;
        yield {
          element: definition.name,
          key: "streamCategories",
          message:
            `${definition.name} handles ${message.name}, which travels on '${category}', and reads only ` +
            `${categories.map((one) => `'${one}'`).join(", ")}.`,
        };
      }
    }
  },
};
