/** Rule: probes that are missing, or ask for what nobody answers. @module */
import type { Asks, Placed, Workload } from "../manifest/workload.ts";
import type { RuleOf } from "../rule.ts";

const ALIVE: readonly string[] = ["/livez", "/healthz"];
const READY = "/readyz";

export const manifestProbes: RuleOf<"manifest"> = {
  code: "MANIFEST_PROBES",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires:
    "a pod has no liveness or no readiness probe, or one asks for a path that says something else than is meant.",
  rationale:
    "Without liveness a process that hangs stays; without readiness a rollout goes on over broken pods. A liveness " +
    "probe at `/readyz` kills every pod when a dependency is away.",
  remedy: "Ask `/livez` for liveness and `/readyz` for readiness, at the port of [server.health].",
  mend: "livenessProbe: { httpGet: { path: /livez, port: health } }",
  *find(workload, { loaded: { config: { server: { health } } } }) {
    const at = (line: number | undefined) => ({
      element: workload.label,
      file: workload.file,
      ...(line !== undefined && { line }),
    });
    const { label, liveness, readiness, line } = workload;
    if (!liveness) yield { ...at(line), message: `${label} has no livenessProbe.` };
    if (!readiness) yield { ...at(line), message: `${label} has no readinessProbe.` };
    for (const { name, probe, isFine, why } of probesOf(workload)) {
      const { value, line } = probe;
      if (!health.enabled && value.by !== "exec") {
        yield { ...at(line), message: `${label} has a ${name}, and 'server.health.enabled' is false.` };
      } else if (value.by === "grpc") {
        yield { ...at(line), message: `The ${name} of ${label} speaks gRPC, which the server does not.` };
      } else if (value.by === "http" && !isFine(value.path)) {
        yield { ...at(line), message: `The ${name} of ${label} asks for ${value.path}: ${why(value.path)}.` };
      }
    }
  },
};

interface Judged {
  readonly name: string;
  readonly probe: Placed<Asks>;
  readonly isFine: (path: string) => boolean;
  readonly why: (path: string) => string;
}

function* probesOf({ liveness, readiness, startup }: Workload): Generator<Judged> {
  const unknown = (wanted: string) => `nobody answers there, ask for ${wanted}`;
  if (liveness) {
    yield {
      name: "livenessProbe",
      probe: liveness,
      isFine: (path) => ALIVE.includes(pathOf(path)),
      why: (path) =>
        pathOf(path) === READY
          ? "it fails while a dependency is away, and the pod is killed for it; ask for /livez"
          : unknown("/livez"),
    };
  }
  if (readiness) {
    yield {
      name: "readinessProbe",
      probe: readiness,
      isFine: (path) => pathOf(path) === READY,
      why: (path) =>
        ALIVE.includes(pathOf(path))
          ? "it says nothing of the dependencies; ask for /readyz"
          : unknown("/readyz"),
    };
  }
  if (startup) {
    yield {
      name: "startupProbe",
      probe: startup,
      isFine: (path) => [...ALIVE, READY].includes(pathOf(path)),
      why: () => unknown("/livez"),
    };
  }
}

function pathOf(path: string): string {
  return path.split("?", 1)[0] ?? path;
}
