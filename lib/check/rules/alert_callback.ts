/** Rule: an alert callback that cannot be loaded (DLQ-7, operations 11). @module */
import { placeOf } from "../../diagnostics.ts";
import { asError } from "../../errors.ts";
import { loadFunction } from "../../loading/function_module.ts";
import type { Found, RuleOf } from "../rule.ts";

export const alertCallback: RuleOf<"domain"> = {
  code: "CONFIG_UNLOADABLE_FUNCTION",
  level: "error",
  category: "configuration",
  stage: "domain",
  fires:
    "`[server.dlq] alert_callback` or `[alerts] callback` names no function that can be loaded. The server starts all " +
    "the same, and warns.",
  rationale: "It would be found when the first alert is due, and then nobody is told.",
  remedy:
    "Name a file beside domain.toml and what it exports; a function that is registered by domain.onDlqAlert(…) needs " +
    "no file.",
  mend: 'alert_callback = "./alerts.js#onDlqAlert"',
  async find({ loaded }): Promise<readonly Found[]> {
    const { server, alerts } = loaded.config;
    const found: Found[] = [];
    for (
      const [key, shown, callback] of [
        ["server.dlq.alert_callback", "alert_callback in [server.dlq]", server.dlq.alert_callback],
        ["alerts.callback", "callback in [alerts]", alerts.callback],
      ] as const
    ) {
      if (callback === undefined) continue;
      try {
        await loadFunction(shown, callback, loaded.folder);
      } catch (error) {
        found.push({ key, message: asError(error).message, ...placeOf(loaded.origins.get(key)) });
      }
    }
    return found;
  },
};
