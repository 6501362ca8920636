/** `docs/guides/kubernetes.md`: its manifests against Kubernetes's schemas, its commands against what is there. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Job } from "kubernetes-models/batch/v1/Job";
import { Secret } from "kubernetes-models/v1/Secret";
import { parse } from "yaml";
import { run } from "../../e2e/run.ts";
import { Guide } from "../../support/guide.ts";

const ROOT = new URL("../../../", import.meta.url);

interface Pod {
  readonly volumes: readonly Named[];
  readonly containers: readonly {
    readonly image: string;
    readonly args: readonly string[];
    readonly envFrom: readonly { readonly secretRef: Named }[];
    readonly volumeMounts: readonly Named[];
  }[];
}

interface Named {
  readonly name: string;
}

async function base(): Promise<{ readonly spec: Pod }> {
  const text = await Deno.readTextFile(new URL("deploy/kubernetes/base/deployment.yaml", ROOT));
  return parse(text).spec.template;
}

Deno.test("the guide to Kubernetes: manifests fit their schemas and the base, commands name what is there", async () => {
  const guide = await Guide.read("kubernetes");
  const first = "Before the first deployment";
  const [secret, job] = [parse(guide.take(first, "yaml")), parse(guide.take(first, "yaml"))];
  new Secret(secret).validate();
  new Job(job).validate();
  const { spec: { volumes, containers: [server] } } = await base();
  const { spec: { template: { spec: pod } } } = job as { spec: { template: { spec: Pod } } };
  const [setup] = pod.containers;
  assert(setup && server);
  assertEquals(setup.image, server.image);
  assertEquals(setup.envFrom, server.envFrom);
  assertEquals(setup.envFrom[0]?.secretRef.name, secret.metadata.name);
  assertEquals(setup.volumeMounts, server.volumeMounts);
  assertEquals(pod.volumes, volumes);

  const [[program, ...check] = []] = guide.commands("In the pipeline");
  assertEquals(program, "protean-server");
  const { code, out, err } = await run(check, { cwd: ROOT.pathname, env: secret.stringData });
  assertEquals(code, 0, out + err);
  assertStringIncludes(out, "2 × 1 × (10 + 20) = 60 connections");

  for (const [kubectl, apply, flag, folder] of guide.commands("In the pipeline")) {
    assertEquals([kubectl, apply, flag], ["kubectl", "apply", "-k"]);
    assert((await Deno.stat(new URL(`${folder}/kustomization.yaml`, ROOT))).isFile);
  }
  const asked = guide.commands("When a pod is not ready").map((words) => words.slice(0, 3).join(" "));
  assertEquals(asked, [
    "kubectl port-forward deployment/protean-server",
    "curl localhost:8080/readyz",
    "kubectl logs deployment/protean-server",
  ]);
  assertEquals(guide.left, []);
});
