/** Rule: tables of [server.subscriptions] about no handler (CFG-1). @module */
import { unknownSubscriptionTables } from "../../subscription/settings/unknown_tables.ts";
import type { RuleOf } from "../rule.ts";

export const unknownHandler: RuleOf<"start"> = {
  code: "CONFIG_UNKNOWN_HANDLER",
  level: "warning",
  category: "configuration",
  stage: "start",
  fires: "a table of `[server.subscriptions]` has the name of no handler.",
  rationale: "The handler that was meant runs with other settings than its team believes.",
  remedy:
    "Write the handler's name as it is declared; where the file is shared with a Python service, suppress this.",
  mend: "[server.subscriptions.OrderEventHandler]",
  find: ({ loaded, handlers }) => unknownSubscriptionTables(loaded, handlers),
};
