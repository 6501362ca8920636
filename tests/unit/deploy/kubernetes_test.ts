/** What scrapes the pods of deploy/kubernetes finds them, and a page where it looks. */
import { assert, assertEquals } from "@std/assert";
import { parse as parseToml } from "@std/toml";
import { join } from "node:path";
import { parse } from "yaml";
import { configSchema } from "../../../lib/config/schema.ts";

const folder = join(import.meta.dirname ?? "", "../../../deploy/kubernetes");
const text = (name: string) => Deno.readTextFile(join(folder, name));

const [deployment, network, monitor, component, production] = (await Promise.all([
  ...["base/deployment.yaml", "base/network-policy.yaml", "components/pod-monitor/pod-monitor.yaml"],
  ...["components/pod-monitor/kustomization.yaml", "overlays/production/kustomization.yaml"],
].map(text))).map((source) => parse(source));
const { server } = configSchema.parse({ server: parseToml(await text("base/domain.toml"))["server"] });
const { template } = deployment.spec;
const [container] = template.spec.containers;

Deno.test("the PodMonitor selects the pods of the Deployment, by the port of their probes and the path of their metrics", () => {
  assertEquals([monitor.apiVersion, monitor.kind], ["monitoring.coreos.com/v1", "PodMonitor"]);
  for (const [label, value] of Object.entries(monitor.spec.selector.matchLabels)) {
    assertEquals(template.metadata.labels[label], value, label);
  }
  assertEquals(monitor.spec.podMetricsEndpoints.length, 1);
  const [{ port, path, interval, scrapeTimeout }] = monitor.spec.podMetricsEndpoints;
  const named = container.ports.find(({ name }: { name: string }) => name === port);
  assertEquals(named?.containerPort, server.health.port);
  assertEquals([server.metrics.enabled, path], [true, server.metrics.path]);
  // A connection to the port ends after 5 s, and Prometheus refuses a timeout above the interval.
  assert(parseFloat(scrapeTimeout) <= 5 && parseFloat(scrapeTimeout) < parseFloat(interval));
});

Deno.test("the network lets Prometheus in at that port", () => {
  const allowed = network.spec.ingress.filter(({ from }: { from: unknown[] }) =>
    JSON.stringify(from).includes('"kubernetes.io/metadata.name":"monitoring"')
  );
  assertEquals(allowed.flatMap(({ ports }: { ports: { port: number }[] }) => ports.map(({ port }) => port)), [
    server.health.port,
  ]);
});

Deno.test("the base asks for nothing that a cluster without the operator lacks; an overlay adds the monitor", () => {
  assertEquals([component.kind, component.resources], ["Component", ["pod-monitor.yaml"]]);
  assertEquals(production.components, ["../../components/pod-monitor"]);
});

Deno.test({ name: "kubectl puts the overlays together", ignore: !hasKubectl() }, async () => {
  for (const [overlay, monitors] of [["production", 1], ["staging", 0]] as const) {
    const { success, stdout, stderr } = await new Deno.Command("kubectl", {
      args: ["kustomize", join(folder, "overlays", overlay)],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const built = new TextDecoder().decode(stdout);
    assertEquals(built.match(/^kind: PodMonitor$/gm)?.length ?? 0, monitors, overlay);
    assertEquals(built.match(/^ {2}namespace: .*$/gm)?.every((line) => line.endsWith(overlay)), true);
  }
});

function hasKubectl(): boolean {
  try {
    return new Deno.Command("kubectl", { args: ["version", "--client"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}
