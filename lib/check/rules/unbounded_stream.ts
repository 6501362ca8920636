/** Rule: streams that nothing trims. @module */
import { KINDS } from "../../domain/kinds.ts";
import { unboundedStreams } from "../../subscription/settings/unbounded.ts";
import type { RuleOf } from "../rule.ts";

export const unboundedStream: RuleOf<"start"> = {
  code: "CONFIG_UNBOUNDED_STREAM",
  level: "info",
  category: "configuration",
  stage: "start",
  fires: "no subscription of a stream has `retention_maxlen`.",
  rationale:
    "The stream keeps all that was ever published, and the end of it is a full disk or a full Redis.",
  remedy: "Set 'retention_maxlen', or give the handlers a profile that has it.",
  mend: "retention_maxlen = 100000",
  // The streams of others are theirs to trim.
  find: ({ subscriptions }) =>
    unboundedStreams(subscriptions.filter(({ runner }) => KINDS[runner.kind].messages !== "raw")),
};
