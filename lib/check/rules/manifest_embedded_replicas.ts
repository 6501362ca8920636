/** Rule: several replicas, each with a database of its own. @module */
import { embeddedSections } from "../embedded_files.ts";
import type { RuleOf } from "../rule.ts";

export const manifestEmbeddedReplicas: RuleOf<"manifest"> = {
  code: "MANIFEST_EMBEDDED_REPLICAS",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires: "a workload may have several replicas, and databases, brokers or caches are `sqlite` or `memory`.",
  rationale: "Every pod has files of its own: what one of them is sent the others never see.",
  remedy: "Use PostgreSQL and Redis, or one replica.",
  mend: "replicas: 1",
  *find({ label, file, line, replicas }, { loaded: { config } }) {
    const sections = embeddedSections(config);
    if (replicas <= 1 || sections.length === 0) return;
    yield {
      element: label,
      file,
      ...(line !== undefined && { line }),
      message: `${label} may have ${replicas} replicas, and each has its own ${
        sections.map((one) => `'${one}'`).join(", ")
      }.`,
    };
  },
};
