/** Rule: events of ours where a Python service reads (interop: unknown types stall it). @module */
import type { RuleOf } from "../rule.ts";

export const sharedCategory: RuleOf<"start"> = {
  code: "CONFIG_SHARED_CATEGORY",
  level: "warning",
  category: "domain",
  stage: "start",
  fires: "a handler shares its group by `consumerGroup`, on a category where this domain publishes events.",
  rationale:
    "A type that the Python domain has not registered fails there again and again, and stalls its handlers.",
  remedy: "Register each of the types in the Python domain.",
  mend: "domain.register_external_event(OrderPlaced, 'Shop.OrderPlaced.v1')",
  *find({ messages, subscriptions }) {
    const events = messages.filter(({ kind }) => kind === "event");
    for (const { runner, category } of subscriptions.filter(({ runner }) => runner.sharedGroup)) {
      const types = events.filter(({ aggregate }) => aggregate?.category === category)
        .map(({ typeString }) => typeString);
      if (types.length === 0) continue;
      yield {
        element: runner.name,
        key: "consumerGroup",
        message:
          `${runner.name} shares the group '${runner.group}' on '${category}', where this domain publishes ${
            types.join(", ")
          }: a Python domain that reads it stalls on types that it has not registered, so register each of them ` +
          "there with register_external_event.",
      };
    }
  },
};
