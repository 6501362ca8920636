/** Rule: preStop hooks that the image cannot run (design 0). @module */
import type { RuleOf } from "../rule.ts";

export const manifestPreStop: RuleOf<"manifest"> = {
  code: "MANIFEST_PRE_STOP",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires: "a preStop hook runs `sleep` or a shell, which the server's image does not have.",
  rationale:
    "The hook fails at once, and the pod is stopped before its endpoints have been taken out of use.",
  remedy: "Use Kubernetes' own `sleep`; where the image has the program, suppress this.",
  mend: "lifecycle: { preStop: { sleep: { seconds: 5 } } }",
  *find({ label, file, preStop }) {
    const [program] = preStop?.value.exec ?? [];
    if (program === undefined || program.endsWith("protean-server")) return;
    yield {
      element: label,
      file,
      ...(preStop?.line !== undefined && { line: preStop.line }),
      message:
        `The preStop hook of ${label} runs '${program}', and the server's image has no program but the server.`,
    };
  },
};
