/** Rule: containers whose root file system can be written to (SEC-2). @module */
import type { RuleOf } from "../rule.ts";

export const manifestRootWritable: RuleOf<"manifest"> = {
  code: "MANIFEST_ROOT_WRITABLE",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires: "`readOnlyRootFilesystem` of the container is not true.",
  rationale:
    "The server writes to no file but SQLite's; whatever else is written there was put there by somebody else.",
  remedy: "Set it, and mount a volume where SQLite files are kept.",
  mend: "securityContext: { readOnlyRootFilesystem: true }",
  *find({ label, file, line, readOnlyRoot }) {
    if (readOnlyRoot.value === true) return;
    const at = readOnlyRoot.line ?? line;
    yield {
      element: label,
      file,
      ...(at !== undefined && { line: at }),
      message: `${label} does not set readOnlyRootFilesystem: true.`,
    };
  },
};
