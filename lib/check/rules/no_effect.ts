/** Rule: settings that have no effect. @module */
import { settingsOfOtherType } from "../../subscription/settings/other_type.ts";
import { typesWithoutEffect } from "../../subscription/settings/type_notes.ts";
import { settingsWithoutEffect } from "../../subscription/settings/without_effect.ts";
import type { RuleOf } from "../rule.ts";

export const noEffect: RuleOf<"start"> = {
  code: "CONFIG_NO_EFFECT",
  level: "warning",
  category: "configuration",
  stage: "start",
  fires:
    "a valid setting is written that changes nothing: this version lacks what it is for, another setting goes before " +
    "it, or the handler reads its messages another way.",
  rationale: "It is a promise that nobody keeps.",
  remedy: "Remove it, or do what the finding says gives it its effect.",
  mend: "protean-server config print --origin",
  *find({ loaded, handlers, subscriptions }) {
    yield* settingsWithoutEffect(loaded, handlers);
    yield* typesWithoutEffect(loaded, handlers);
    yield* settingsOfOtherType(loaded, subscriptions);
  },
};
