/** The dashboard, the alerts and their runbooks speak of metrics that exist. */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { parse } from "yaml";
import { INSTRUMENTS } from "../../../lib/telemetry/metrics/catalogue.ts";
import { prometheusTest } from "../../support/prometheus.ts";
import { prometheusName } from "../../../lib/telemetry/metrics/prometheus.ts";

const root = join(import.meta.dirname ?? "", "../../..");

/** Name in Prometheus → labels. */
const known = new Map(INSTRUMENTS.map(({ name, unit, kind, attributes }) =>
  [
    prometheusName({ name, unit, kind: kind === "counter" ? "counter" : "other" }),
    {
      kind,
      labels: new Set([
        ...attributes.map((label) => label.replaceAll(".", "_")),
        "instance",
        "worker",
        "source",
        "le",
      ]),
    },
  ] as const
));

function metricsIn(expression: string): readonly string[] {
  return expression.match(/\bprotean_\w+/g) ?? [];
}

function assertKnown(expression: string): void {
  for (const name of metricsIn(expression)) {
    const base = name.replace(/_(bucket|sum|count)$/, "");
    const metric = known.get(name) ?? known.get(base);
    assert(metric, `${name} in ${expression} is no metric of this server`);
    if (!known.has(name)) assertEquals(metric.kind, "histogram", `${name} in ${expression}`);
  }
  for (const [, labels = ""] of expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
    for (const label of labels.split(",").map((text) => text.trim())) {
      const has = metricsIn(expression).some((name) =>
        (known.get(name) ?? known.get(name.replace(/_(bucket|sum|count)$/, "")))?.labels.has(label)
      );
      assert(has, `${label} in ${expression} is no label of its metrics`);
    }
  }
}

Deno.test("every panel of the dashboard asks for metrics that exist, from the datasource that is chosen", async () => {
  const dashboard = JSON.parse(await Deno.readTextFile(join(root, "deploy/grafana/protean-server.json")));
  assertEquals(dashboard.templating.list[0].type, "datasource");
  assert(dashboard.panels.length > 15);
  for (const panel of dashboard.panels) {
    assert(panel.targets.length > 0, panel.title);
    for (const { expr, datasource } of panel.targets) {
      assertEquals(datasource.uid, "${datasource}", panel.title);
      assert(metricsIn(expr).length > 0, panel.title);
      assertKnown(expr);
    }
  }
});

Deno.test("every alert asks for metrics that exist, and has a runbook that says what to look at and to do", async () => {
  const { groups } = parse(await Deno.readTextFile(join(root, "deploy/prometheus/alerts.yaml")));
  const rules: readonly { alert: string; expr: string; annotations: { runbook: string } }[] = groups[0].rules;
  const pages = new Set<string>();
  for (const { alert, expr, annotations: { runbook } } of rules) {
    assertKnown(expr);
    pages.add(runbook);
    const page = await Deno.readTextFile(join(root, runbook));
    assert(page.includes(`Alert \`${alert}\``), runbook);
    for (const part of ["## Symptom", "## Look", "## Do", "## Over"]) {
      assert(page.includes(part), `${runbook} ${part}`);
    }
  }
  const files = [...Deno.readDirSync(join(root, "docs/runbooks"))].map(({ name }) => `docs/runbooks/${name}`);
  assertEquals(files.filter((file) => !pages.has(file)), ["docs/runbooks/README.md"]);
});

for (const args of [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]]) {
  prometheusTest(`promtool ${args.join(" ")}`, async () => {
    const { success, stdout, stderr } = await new Deno.Command("promtool", {
      args,
      cwd: join(root, "deploy/prometheus"),
    }).output();
    assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  });
}
