/** Rule: commands that nobody handles (wire 8.5). @module */
import type { RuleOf } from "../rule.ts";

export const unusedCommand: RuleOf<"domain"> = {
  code: "UNUSED_COMMAND",
  level: "warning",
  category: "domain",
  stage: "domain",
  fires: "a command of the domain has no command handler.",
  rationale: "Whoever sends it is told that it was taken, and nothing ever happens.",
  remedy: "Add a command handler with on(Command, …), or remove the command.",
  mend: "handles: [on(PlaceOrder, async (command, ctx) => { … })]",
  *find({ messages, model }) {
    for (const { kind, name, typeString } of messages) {
      if (kind !== "command") continue;
      if (
        model.handlers.some(({ definition }) =>
          definition.options.handles.some(({ type }) => type === typeString)
        )
      ) {
        continue;
      }
      yield { element: name, message: `No command handler handles the command ${name}.` };
    }
  },
};
