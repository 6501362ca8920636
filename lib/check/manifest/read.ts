/**
 * From the text of a manifest to the workloads that run the server.
 *
 * @module
 */
import { isTable, type Path, type Table, tableAt, valueAt } from "../../config/tree.ts";
import { ConfigurationError, type ConfigurationProblem } from "../../errors.ts";
import { manifestError, type ManifestObject, manifestObjects, templateError } from "./documents.ts";
import type { Asks, Placed, Workload } from "./workload.ts";

const KINDS: readonly unknown[] = ["Deployment", "StatefulSet", "ReplicaSet", "Rollout"];
const POD: Path = ["spec", "template", "spec"];
/** Kubernetes' own. */
const GRACE_SECONDS = 30;
/** KEDA's own `maxReplicaCount`. */
const KEDA_MOST = 100;

/** One file of a manifest. */
export interface ManifestFile {
  readonly text: string;
  /** As it is shown. */
  readonly name: string;
}

/**
 * The workloads that run the server: those whose container names it or a domain, or all where none does. Files
 * belong together, so that an autoscaler may stand in another one than what it scales. Throws one
 * `ConfigurationError` for all that is no manifest, and where nothing is deployed.
 */
export function readWorkloads(files: readonly ManifestFile[]): readonly Workload[] {
  const problems: ConfigurationProblem[] = [];
  const objects = files.flatMap(({ text, name }) => {
    try {
      return manifestObjects(text, name);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
  if (problems.length > 0) throw manifestError(problems);
  const candidates = objects.filter(({ tree }) =>
    KINDS.includes(tree["kind"]) && containersOf(tree).length > 0
  );
  const named = candidates.filter(({ tree }) => containersOf(tree).some(isOurs));
  const found = named.length > 0 ? named : candidates;
  if (found.length === 0) {
    const [first] = files;
    const message =
      "It holds no Deployment and no StatefulSet with a container: name the file that has it, by " +
      "--manifest once for each file.";
    throw manifestError([{ code: "MANIFEST_NO_WORKLOAD", message, ...first && { file: first.name } }]);
  }
  return found.map((object) => workloadOf(object, objects));
}

function containersOf(tree: Table): readonly Table[] {
  const containers = valueAt(tree, [...POD, "containers"]);
  return Array.isArray(containers) ? containers.filter(isTable) : [];
}

/** Whether a container runs the server, as far as its image and its command tell. */
function isOurs(container: Table): boolean {
  const words = [container["image"], ...texts(container["command"]), ...texts(container["args"])];
  return words.some((word) => typeof word === "string" && (/protean/.test(word) || /--domain\b/.test(word)));
}

function workloadOf(object: ManifestObject, objects: readonly ManifestObject[]): Workload {
  const { tree, file, lineOf } = object;
  const pod = tableAt(tree, POD);
  const containers = containersOf(tree);
  const index = Math.max(0, containers.findIndex(isOurs));
  const container = containers[index] ?? {};
  const at: Path = [...POD, "containers", index];
  requireRendered(object, container);
  const placed = <T>(path: Path, value: T): Placed<T> => ({ value, line: lineOf(path) });
  const probe = (name: string) => {
    const table = container[name];
    return isTable(table) ? placed([...at, name], asks(table)) : undefined;
  };
  const hook = valueAt(container, ["lifecycle", "preStop"]);
  const root = valueAt(container, ["securityContext", "readOnlyRootFilesystem"]);
  return {
    label: `${tree["kind"]} '${nameOf(tree)}'`,
    file,
    line: lineOf(["metadata", "name"]),
    replicas: mostReplicas(tree, objects),
    workers: workersOf(container),
    gracePeriodSeconds: placed(
      [...POD, "terminationGracePeriodSeconds"],
      figure(pod["terminationGracePeriodSeconds"]) ?? GRACE_SECONDS,
    ),
    preStop: isTable(hook) ? placed([...at, "lifecycle", "preStop"], preStop(hook)) : undefined,
    liveness: probe("livenessProbe"),
    readiness: probe("readinessProbe"),
    startup: probe("startupProbe"),
    ports: tables(container["ports"]).flatMap((port) => {
      const number = figure(port["containerPort"]);
      return number === undefined ? [] : [{ name: text(port["name"]), number }];
    }),
    readOnlyRoot: placed(
      [...at, "securityContext", "readOnlyRootFilesystem"],
      typeof root === "boolean" ? root : undefined,
    ),
    writable: tables(container["volumeMounts"]).filter((mount) => mount["readOnly"] !== true)
      .flatMap(({ mountPath }) => text(mountPath) ?? []),
    dataDir: text(tables(container["env"]).find(({ name }) => name === "PROTEAN_DATA_DIR")?.["value"]),
  };
}

/** A text such as `{{ .Values.replicas }}` is valid YAML in quotes, and says nothing. */
function requireRendered({ tree, file, lineOf }: ManifestObject, container: Table): void {
  const { metadata: _, ...spec } = tableAt(tree, ["spec", "template"]);
  const { template: __, ...around } = tableAt(tree, ["spec"]);
  const told = JSON.stringify([spec, around, nameOf(tree), container["name"]]);
  if (/\{\{.*\}\}/.test(told)) throw templateError(file, lineOf(["spec"]));
}

/** What scales it decides; without that its own `replicas`, of which Kubernetes makes 1 where none are said. */
function mostReplicas(tree: Table, objects: readonly ManifestObject[]): number {
  const scaled = objects.map((object) => object.tree).filter((other) => {
    const target = tableAt(other, ["spec", "scaleTargetRef"]);
    const kind = target["kind"] ?? "Deployment";
    return target["name"] === nameOf(tree) && kind === tree["kind"] &&
      namespaceOf(other) === namespaceOf(tree);
  });
  const most = scaled.flatMap(({ kind, spec }) =>
    kind === "HorizontalPodAutoscaler"
      ? figure(valueAt(spec, ["maxReplicas"])) ?? []
      : kind === "ScaledObject"
      ? figure(valueAt(spec, ["maxReplicaCount"])) ?? KEDA_MOST
      : []
  );
  return most.length > 0 ? Math.max(...most) : figure(valueAt(tree, ["spec", "replicas"])) ?? 1;
}

function workersOf(container: Table): number | undefined {
  const words = [...texts(container["command"]), ...texts(container["args"])].join(" ");
  const [, given] = /--workers[= ]\s*"?(\d{1,6})/.exec(words) ?? [];
  return given === undefined ? undefined : Number(given);
}

function asks(probe: Table): Asks {
  const { httpGet, exec, tcpSocket, grpc } = probe;
  if (isTable(httpGet)) {
    return { by: "http", path: text(httpGet["path"]) ?? "/", port: portOf(httpGet["port"]) };
  }
  if (isTable(exec)) return { by: "exec", command: texts(exec["command"]) };
  if (isTable(grpc)) return { by: "grpc" };
  return { by: "tcp", port: portOf(isTable(tcpSocket) ? tcpSocket["port"] : undefined) };
}

function preStop(
  hook: Table,
): { readonly seconds: number | undefined; readonly exec: readonly string[] | undefined } {
  const { sleep, exec } = hook;
  if (isTable(sleep)) return { seconds: figure(sleep["seconds"]), exec: undefined };
  if (!isTable(exec)) return { seconds: undefined, exec: undefined };
  const command = texts(exec["command"]);
  const [, seconds] = /\bsleep\s+(\d+(?:\.\d+)?)/.exec(command.join(" ")) ?? [];
  return { seconds: seconds === undefined ? undefined : Number(seconds), exec: command };
}

function nameOf(tree: Table): string {
  return text(valueAt(tree, ["metadata", "name"])) ?? "";
}

function namespaceOf(tree: Table): string | undefined {
  return text(valueAt(tree, ["metadata", "namespace"]));
}

function portOf(value: unknown): number | string | undefined {
  return typeof value === "number" || typeof value === "string" ? value : undefined;
}

function figure(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : typeof value === "string" ? [value] : [];
}

function tables(value: unknown): readonly Table[] {
  return Array.isArray(value) ? value.filter(isTable) : [];
}
