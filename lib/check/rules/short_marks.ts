/** Rule: marks that go before a replay may come (PIPE-13, CFG-3). @module */
import { shortMarks as found } from "../../maintenance/mark_retention.ts";
import type { RuleOf } from "../rule.ts";

export const shortMarks: RuleOf<"start"> = {
  code: "CONFIG_SHORT_MARKS",
  level: "warning",
  category: "configuration",
  stage: "start",
  fires: "marks of idempotent handlers are kept for a shorter time than a dead letter may still be replayed.",
  rationale: "A message that is replayed after its mark has gone has its effect a second time.",
  remedy:
    "Leave [consume_idempotency.cleanup] retention_hours out, or set it to the longest dead-letter retention and 168.",
  mend: "retention_hours = 888",
  find: ({ loaded, subscriptions }) => found(loaded.config, subscriptions),
};
