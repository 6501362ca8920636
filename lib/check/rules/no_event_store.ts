/** Rule: profiles that would read an event store that is not there (delivery 15). @module */
import { streamsInstead } from "../../subscription/settings/type_notes.ts";
import type { RuleOf } from "../rule.ts";

export const noEventStore: RuleOf<"start"> = {
  code: "CONFIG_NO_EVENT_STORE",
  level: "info",
  category: "configuration",
  stage: "start",
  fires: "a profile says event_store, and the domain has none: its handlers read the stream.",
  rationale: "Messages that fail are dead-lettered there instead of being passed over.",
  remedy: "Nothing, where that is right; else configure [event_store].",
  mend: "[event_store]",
  find: ({ loaded, subscriptions }) => streamsInstead(loaded, subscriptions),
};
