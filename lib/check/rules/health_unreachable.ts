/** Rule: probes that nobody outside can reach (CFG-3). @module */
import { placeOf } from "../../diagnostics.ts";
import { isProduction } from "../environment.ts";
import { isLoopback } from "../loopback.ts";
import type { RuleOf } from "../rule.ts";

export const healthUnreachable: RuleOf<"start"> = {
  code: "HEALTH_UNREACHABLE",
  level: "warning",
  category: "deployment",
  stage: "start",
  fires:
    "`[server.health] host` is set to a loopback address while `PROTEAN_ENV` is production, prod or prd. Unset, it " +
    "is reachable inside Kubernetes.",
  rationale:
    "Kubernetes probes a pod from outside of it: every probe fails, and the pod is killed again and again.",
  remedy: "Leave 'host' out, or set it to 0.0.0.0 (:: where the cluster speaks IPv6).",
  mend: 'host = "0.0.0.0"',
  *find({ loaded }) {
    const key = "server.health.host";
    const { enabled, host } = loaded.config.server.health;
    const origin = loaded.origins.get(key);
    if (!enabled || !origin || !isLoopback(host) || !isProduction(loaded.env)) return;
    yield {
      key,
      message: `'${key}' is ${host}: no probe from outside of this machine or pod arrives.`,
      ...placeOf(origin),
    };
  },
};
