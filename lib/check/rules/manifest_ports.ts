/** Rule: probes at a port where nobody listens. @module */
import { isLoopback } from "../loopback.ts";
import type { RuleOf } from "../rule.ts";

export const manifestPorts: RuleOf<"manifest"> = {
  code: "MANIFEST_PORTS",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires:
    "a probe asks at another port than `[server.health] port`, at one whose name no port of the container has, or " +
    "while `host` is set to a loopback address.",
  rationale: "Every probe fails, and the pod is killed again and again.",
  remedy: "Name the container's port and let the probes use the name; leave 'host' of [server.health] out.",
  mend: "ports: [{ containerPort: 8080, name: health }]",
  *find({ label, file, ports, liveness, readiness, startup }, { loaded }) {
    const { enabled, host, port: listening } = loaded.config.server.health;
    if (!enabled) return;
    for (
      const [name, probe] of Object.entries({
        livenessProbe: liveness,
        readinessProbe: readiness,
        startupProbe: startup,
      })
    ) {
      if (!probe || probe.value.by !== "http" && probe.value.by !== "tcp") continue;
      const { value: { port }, line } = probe;
      const at = { element: label, file, ...(line !== undefined && { line }) };
      const number = Number.isInteger(Number(port)) && port !== ""
        ? Number(port)
        : ports.find((one) => one.name === port)?.number;
      if (port === undefined) yield { ...at, message: `The ${name} of ${label} names no port.` };
      else if (number === undefined) {
        yield {
          ...at,
          message:
            `The ${name} of ${label} asks at the port '${port}', and no port of the container has this name.`,
        };
      } else if (number !== listening) {
        yield {
          ...at,
          message:
            `The ${name} of ${label} asks at port ${number}, and 'server.health.port' is ${listening}.`,
        };
      } else if (isLoopback(host) && loaded.origins.has("server.health.host")) {
        yield {
          ...at,
          message:
            `The ${name} of ${label} asks from outside of the pod, and 'server.health.host' is ${host}.`,
        };
      }
    }
  },
};
