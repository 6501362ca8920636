/** Rule: subscriptions to categories that nobody publishes. @module */
import { endingWithHint } from "../../config/nearest.ts";
import { KINDS } from "../../domain/kinds.ts";
import type { RuleOf } from "../rule.ts";

export const noPublisher: RuleOf<"domain"> = {
  code: "NOBODY_PUBLISHES",
  level: "warning",
  category: "domain",
  stage: "domain",
  fires:
    "a handler reads a category of this domain that none of its aggregates has, or one of another domain while all " +
    "that it handles is this domain's.",
  rationale: "The subscription is there, healthy and idle, and its handler never runs.",
  remedy:
    "Name the category of the aggregate whose events are handled, or declare the other domain's events by " +
    "domain.externalEvent(…).",
  mend: 'streamCategories: ["shop::order"]',
  *find({ model, elements, identity: { normalizedName } }) {
    const own = elements.aggregates.flatMap(({ category, commandCategory }) => [category, commandCategory]);
    for (const { definition, categories } of model.handlers) {
      if (KINDS[definition.kind].messages !== "event") continue;
      const onlyOwn = definition.options.handles.length > 0 &&
        definition.options.handles.every(({ type }) => model.messages.get(type)?.aggregate !== undefined);
      for (const category of categories) {
        if (own.includes(category)) continue;
        if (!category.startsWith(`${normalizedName}::`) && !onlyOwn) continue;
        yield {
          element: definition.name,
          key: "streamCategories",
          message:
            `${definition.name} reads '${category}', which nobody publishes: no aggregate of this domain has it${
              endingWithHint(category, own)
            }`,
        };
      }
    }
  },
};
