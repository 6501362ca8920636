/** Rule: keys that only Python reads (design 6). @module */
import { pythonOnlyKeys } from "../../config/python_only.ts";
import { placeOf } from "../../diagnostics.ts";
import type { RuleOf } from "../rule.ts";

export const pythonOnly: RuleOf<"domain"> = {
  code: "CONFIG_PYTHON_ONLY",
  level: "info",
  category: "configuration",
  stage: "domain",
  fires: "a key is set that Python Protean reads and this server does not.",
  rationale: "Both may share one file; what the key says holds for Python alone.",
  remedy: "Nothing, where Python reads the same file; else remove the key.",
  mend: "protean-server config print --origin",
  *find({ loaded }) {
    for (const key of pythonOnlyKeys(loaded)) {
      yield { key, message: `'${key}' is read by Python alone.`, ...placeOf(loaded.origins.get(key)) };
    }
  },
};
