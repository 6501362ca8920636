/** The manifests of `deploy/` against the schemas of Kubernetes and KEDA, and against each other. */
import { assert, assertEquals } from "@std/assert";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { Service } from "kubernetes-models/v1/Service";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { parse as parseToml } from "@std/toml";
import { parseAllDocuments } from "yaml";
import { type KedaGroup, scaledObject } from "../../../lib/cli/keda.ts";
import type { HandlerRunner } from "../../../lib/domain/handler_port.ts";

const deploy = new URL("../../../deploy/", import.meta.url);

const models: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  "apps/v1 Deployment": Deployment,
  "policy/v1 PodDisruptionBudget": PodDisruptionBudget,
  "networking.k8s.io/v1 NetworkPolicy": NetworkPolicy,
  "v1 Service": Service,
  "keda.sh/v1alpha1 ScaledObject": ScaledObject,
};

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: never;
}

function documents(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    assertEquals(document.errors, []);
    return document.toJS();
  });
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, deploy));
}

function validate(manifest: Manifest): void {
  const name = `${manifest.apiVersion} ${manifest.kind}`;
  const Model = models[name];
  assert(Model, `no schema for ${name}`);
  new Model(manifest as never).validate();
}

const BASE = ["deployment.yaml", "pod-disruption-budget.yaml", "network-policy.yaml"];

for (const file of [...BASE.map((name) => `kubernetes/base/${name}`), "keda/metrics-api.yaml"]) {
  Deno.test(`deploy/${file} is what the schemas of Kubernetes say`, () => {
    const found = documents(read(file));
    assert(found.length > 0);
    found.forEach(validate);
  });
}

Deno.test("what deploy keda prints is what KEDA's schema says", () => {
  const runner = { group: 'shop."Mails": #1' } as HandlerRunner;
  const group = (URI: string, parted = false): KedaGroup => ({
    ...{ runner, category: "shop::order", backfill: "shop::order:backfill", redis: { URI }, parted },
  });
  const places = ["redis://u:p@h/2", "rediss://h", "redis+cluster://h", "redis+sentinel://h/main/0"];
  const printed = scaledObject([group("redis://h", true), ...places.map((place) => group(place))], {
    ...{ deployment: "shop", min: 1, max: 4, target: 50 },
    ...{ addressFromEnv: "A", usernameFromEnv: "U", passwordFromEnv: "P" },
  });
  documents(printed).forEach(validate);
});

interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly volumes: readonly { readonly name: string }[];
  readonly containers: readonly [{
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
    readonly livenessProbe: { readonly httpGet: { readonly port: string } };
    readonly readinessProbe: { readonly httpGet: { readonly port: string } };
    readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
    readonly volumeMounts: readonly { readonly name: string }[];
  }];
}

const base = Object.fromEntries(
  BASE.flatMap((name) => documents(read(`kubernetes/base/${name}`))).map((one) => [
    one.kind,
    one,
  ]),
);
const { replicas, template, ...deployment } = base["Deployment"]?.spec as unknown as {
  readonly replicas: number;
  readonly selector: { readonly matchLabels: Record<string, string> };
  readonly template: { readonly metadata: { readonly labels: Record<string, string> }; readonly spec: Pod };
};
const [container] = template.spec.containers;

Deno.test("whatever selects the pods selects those of the Deployment", () => {
  const { labels } = template.metadata;
  assertEquals(deployment.selector.matchLabels, labels);
  const selector = (kind: string, key: "selector" | "podSelector") =>
    (base[kind]?.spec as Record<string, { matchLabels: unknown }> | undefined)?.[key]?.matchLabels;
  assertEquals(selector("PodDisruptionBudget", "selector"), labels);
  assertEquals(selector("NetworkPolicy", "podSelector"), labels);
  const [service, scaled] = documents(read("keda/metrics-api.yaml"));
  assertEquals((service?.spec as unknown as { selector: unknown }).selector, labels);
  assertEquals((scaled?.spec as unknown as { scaleTargetRef: unknown }).scaleTargetRef, {
    name: base["Deployment"]?.metadata.name,
  });
  assert(replicas > 1, "a budget of one pod at a time would never let the only one go");
});

Deno.test("probes ask a port that the container has, and the grace period covers the drain of its domain.toml", () => {
  const ports = container.ports.map(({ name }) => name);
  for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
    assert(ports.includes(httpGet.port));
  }
  const volumes = template.spec.volumes.map(({ name }) => name).sort();
  assertEquals(container.volumeMounts.map(({ name }) => name).sort(), volumes);
  const { server } = parseToml(read("kubernetes/base/domain.toml")) as {
    server: { drain_timeout_seconds: number };
  };
  const least = container.lifecycle.preStop.sleep.seconds + server.drain_timeout_seconds + 8;
  assert(template.spec.terminationGracePeriodSeconds >= least, "docs/guides/shutdown.md, The grace period");
});

Deno.test("a kustomization names files that are there, and patches what the base has", () => {
  for (const folder of ["kubernetes/base/", "kubernetes/overlays/staging/"]) {
    const [{ resources = [], patches = [], configMapGenerator = [] } = {}] = documents(
      read(`${folder}kustomization.yaml`),
    ) as unknown as readonly {
      resources?: string[];
      patches?: { path: string }[];
      configMapGenerator?: { name: string; files: string[] }[];
    }[];
    const files = [
      ...resources,
      ...patches.map(({ path }) => path),
      ...configMapGenerator.flatMap(({ files }) => files),
    ];
    for (const file of files) Deno.statSync(new URL(`${folder}${file}`, deploy));
    for (const { path } of patches) {
      for (const { kind, metadata } of documents(read(`${folder}${path}`))) {
        assertEquals(metadata.name, base[kind]?.metadata.name);
      }
    }
  }
});

/** What a supervisor may take, and 2 s more (`docs/guides/shutdown.md`). */
function leastForWorkers(config: string): number {
  const { server } = parseToml(read(config)) as { server: { drain_timeout_seconds: number } };
  return Math.max(30, server.drain_timeout_seconds + 5) + 2;
}

Deno.test("compose.yaml names services and files that are there, and gives the supervisor its time", () => {
  const [{ services, volumes } = { services: {}, volumes: {} }] = documents(
    read("compose.yaml"),
  ) as unknown as readonly {
    services: Record<string, {
      depends_on?: Record<string, unknown>;
      volumes?: string[];
      stop_grace_period?: string;
      command: string[];
    }>;
    volumes: Record<string, unknown>;
  }[];
  for (const { depends_on = {}, volumes: mounts = [] } of Object.values(services)) {
    for (const other of Object.keys(depends_on)) assert(other in services, other);
    for (const [from = ""] of mounts.map((mount) => mount.split(":"))) {
      if (from.startsWith("./")) Deno.statSync(new URL(from, deploy));
      else assert(from in volumes, from);
    }
  }
  const { server } = services;
  assert(server?.command.some((argument) => argument.startsWith("--workers=")));
  assert(parseInt(server?.stop_grace_period ?? "") >= leastForWorkers("compose/domain.toml"));
});

Deno.test("the unit of systemd gives the supervisor its time, and a blocked loop is told before it is ended", () => {
  const unit = Object.fromEntries(
    read("systemd/protean-server.service").split("\n").filter((line) => /^[A-Z]\w+=/.test(line)).map(
      (line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      },
    ),
  );
  assert(Number(unit["TimeoutStopSec"]) >= leastForWorkers("compose/domain.toml"));
  assert(Number(unit["WatchdogSec"]) > 10, "[server.health] blocked_after_seconds");
  // Or its workers are told by systemd, too, and what their supervisor has left outlives it.
  assertEquals([unit["Type"], unit["KillMode"]], ["notify", "mixed"]);
});
