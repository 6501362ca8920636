/** Rule: adapters that live inside one process or file, in production (CFG-3). @module */
import { placeOf } from "../../diagnostics.ts";
import { embeddedFiles, embeddedSections } from "../embedded_files.ts";
import { isProduction } from "../environment.ts";
import type { RuleOf } from "../rule.ts";

export const embeddedInProduction: RuleOf<"start"> = {
  code: "EMBEDDED_IN_PRODUCTION",
  level: "warning",
  category: "servers",
  stage: "start",
  fires:
    "a database, broker, cache or event store is `memory` or `sqlite` while `PROTEAN_ENV` is production, prod or prd.",
  rationale:
    "What is in memory is gone with the process, and an SQLite file belongs to one machine: a second replica has " +
    "another one, and a pod without a volume loses it.",
  remedy: "Use PostgreSQL and Redis, or one replica with the files on a volume that is backed up.",
  mend: 'provider = "postgresql"',
  *find({ loaded }) {
    if (!isProduction(loaded.env)) return;
    const files = embeddedFiles(loaded.config);
    for (const section of embeddedSections(loaded.config)) {
      const key = `${section}.provider`;
      yield {
        key,
        message:
          `'${section}' is ${
            files.includes(section) ? "an SQLite file" : "in the memory of one process"
          } in ` +
          "production: no other replica sees it.",
        ...placeOf(loaded.origins.get(key)),
      };
    }
  },
};
