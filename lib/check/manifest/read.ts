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
    replicas: mostReplicas(object, objects),
    workers: workersOf(container),
    gracePeriodSeconds: placed(
      [...POD, "terminationGracePeriodSeconds"],
      figureAt(object, [...POD, "terminationGracePeriodSeconds"]) ?? GRACE_SECONDS,
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
function mostReplicas(object: ManifestObject, objects: readonly ManifestObject[]): number {
  const { tree } = object;
  const scaled = objects.filter(({ tree: other }) => {
    const target = tableAt(other, ["spec", "scaleTargetRef"]);
    const kind = target["kind"] ?? "Deployment";
    return target["name"] === nameOf(tree) && kind === tree["kind"] && isBeside(other, tree);
  });
  const most = scaled.flatMap((scaler) => {
    const { kind } = scaler.tree;
    if (kind === "HorizontalPodAutoscaler") return figureAt(scaler, ["spec", "maxReplicas"]) ?? [];
    if (kind === "ScaledObject") return figureAt(scaler, ["spec", "maxReplicaCount"]) ?? KEDA_MOST;
    return [];
  });
  const own = figureAt(object, ["spec", "replicas"]) ?? 1;
  return most.length > 0 ? Math.max(...most) : own;
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
  const sleeps = [...command.join(" ").matchAll(/\bsleep((?:\s+\d+(?:\.\d+)?[smhd]?)+)/g)];
  const seconds = sleeps.flatMap(([, times = ""]) => times.trim().split(/\s+/).map(secondsOf));
  return { seconds: seconds.length === 0 ? undefined : seconds.reduce((a, b) => a + b), exec: command };
}

/** As sleep(1) has it: `15`, `1m`. */
function secondsOf(time: string): number {
  return parseFloat(time) * (UNITS[time.at(-1) ?? ""] ?? 1);
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function nameOf(tree: Table): string {
  return text(valueAt(tree, ["metadata", "name"])) ?? "";
}

/** In one namespace, as far as both say theirs: where one does not, whoever applies it does. */
function isBeside(one: Table, other: Table): boolean {
  const [a, b] = [one, other].map((tree) => text(valueAt(tree, ["metadata", "namespace"])));
  return a === undefined || b === undefined || a === b;
}

function portOf(value: unknown): number | string | undefined {
  return typeof value === "number" || typeof value === "string" ? value : undefined;
}

/** A number. Throws for one that is still to be filled in: `${REPLICAS}`, `{{ .Values.max }}`. */
function figureAt({ tree, file, lineOf }: ManifestObject, path: Path): number | undefined {
  const value = valueAt(tree, path);
  if (typeof value === "string" && /[{}$<>]/.test(value)) throw templateError(file, lineOf(path));
  return figure(value);
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
