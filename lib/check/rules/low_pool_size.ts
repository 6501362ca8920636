/** Rule: pools that are smaller than production needs (the guide, "Raise connection pool limits"; wire 7.5). @module */
import { placeOf } from "../../diagnostics.ts";
import { isDevelopment } from "../environment.ts";
import type { RuleOf } from "../rule.ts";

/** What SQLAlchemy has by default, sized for one worker against a small database. */
const PRODUCTION_DEFAULT = 5;
/** They run inside the process and have no pool. */
const EMBEDDED: readonly string[] = ["memory", "sqlite"];

export const lowPoolSize: RuleOf<"start"> = {
  code: "LOW_POOL_SIZE",
  level: "warning",
  category: "pools",
  stage: "start",
  fires:
    `\`pool_size\` of a database with connections is below ${PRODUCTION_DEFAULT}, unless \`PROTEAN_ENV\` is ` +
    "development or testing.",
  rationale:
    "Handlers that run at once wait for each other's connections, and the overflow that helps out is opened " +
    "and closed under load.",
  remedy:
    `Set 'pool_size' to ${PRODUCTION_DEFAULT} or more; the guide starts at 10, with 'max_overflow' at 20.`,
  mend: "pool_size = 10",
  *find({ loaded }) {
    if (isDevelopment(loaded.env)) return;
    for (const [name, { provider, pool_size: size }] of Object.entries(loaded.config.databases)) {
      if (EMBEDDED.includes(provider) || size >= PRODUCTION_DEFAULT) continue;
      const key = `databases.${name}.pool_size`;
      yield {
        // As the reference names it (wire 8.5).
        element: `databases.${name}`,
        key,
        message: `Database '${name}' has pool_size ${size}, which is below the production default of ` +
          `${PRODUCTION_DEFAULT}.`,
        ...placeOf(loaded.origins.get(key)),
      };
    }
  },
};
