import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readWorkloads as readFiles } from "../../../lib/check/manifest/read.ts";
import { scaleOf } from "../../../lib/check/manifest/scale.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { checked, SERVERS } from "./support.ts";

const readWorkloads = (text: string, name: string) => readFiles([{ text, name }]);

/** A Deployment as it should be; `changes` replace texts of it. */
function deployment(...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`no '${from}' in the manifest`);
    return text.replace(from, () => to);
  }, FINE);
}

const FINE = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2
  template:
    spec:
      terminationGracePeriodSeconds: 30
      containers:
        - name: sidecar
          image: envoy:1
        - name: server
          image: registry/protean-server:1
          args: ["--domain=shop", "--workers=3"]
          ports:
            - { containerPort: 8080, name: health }
          securityContext: { readOnlyRootFilesystem: true }
          lifecycle: { preStop: { sleep: { seconds: 5 } } }
          livenessProbe:
            httpGet: { path: /livez, port: health }
          readinessProbe:
            httpGet: { path: /readyz, port: 8080 }
`;

async function told(manifest: string, toml = SERVERS) {
  const workloads = readWorkloads(manifest, "deployment.yaml");
  const { findings } = await checked(toml, { workloads, scale: scaleOf(workloads, {}) });
  return findings.filter(({ code }) => code.startsWith("MANIFEST_"));
}

Deno.test("about a Deployment as it should be there is nothing to tell", async () => {
  assertEquals(await told(FINE), []);
});

const faults:
  readonly (readonly [change: readonly [string, string], code: string, line: number, says: string])[] = [
    [
      ["GracePeriodSeconds: 30", "GracePeriodSeconds: 21"],
      "MANIFEST_GRACE_PERIOD",
      9,
      "has 21 s to end, and needs 22",
    ],
    [["seconds: 5", "seconds: 14"], "MANIFEST_GRACE_PERIOD", 9, "14 (preStop) + 10 (drain) + 2 (flush) + 5"],
    [["/livez", "/readyz"], "MANIFEST_PROBES", 21, "the pod is killed for it; ask for /livez"],
    [["/livez", "/health"], "MANIFEST_PROBES", 21, "nobody answers there, ask for /livez"],
    [["/readyz", "/livez"], "MANIFEST_PROBES", 23, "says nothing of the dependencies; ask for /readyz"],
    [
      ["httpGet: { path: /livez, port: health }", "grpc: { port: 8080 }"],
      "MANIFEST_PROBES",
      21,
      "speaks gRPC",
    ],
    [
      ["port: 8080 }", "port: 9090 }"],
      "MANIFEST_PORTS",
      23,
      "at port 9090, and 'server.health.port' is 8080",
    ],
    [
      ["name: health }", "name: http }"],
      "MANIFEST_PORTS",
      21,
      "'health', and no port of the container has this name",
    ],
    [["containerPort: 8080", "containerPort: 80"], "MANIFEST_PORTS", 21, "at port 80,"],
    [
      ["httpGet: { path: /livez, port: health }", "tcpSocket: { port: 1 }"],
      "MANIFEST_PORTS",
      21,
      "at port 1,",
    ],
    [["sleep: { seconds: 5 }", 'exec: { command: ["sleep", "5"] }'], "MANIFEST_PRE_STOP", 19, "runs 'sleep'"],
    [["Filesystem: true", "Filesystem: false"], "MANIFEST_ROOT_WRITABLE", 18, "readOnlyRootFilesystem"],
    [
      ["securityContext: { readOnlyRootFilesystem: true }\n", "\n"],
      "MANIFEST_ROOT_WRITABLE",
      13,
      "readOnlyRootFilesystem",
    ],
  ];
for (const [change, code, line, says] of faults) {
  Deno.test(`${code}: ${change[1].trim() || "without a security context"}`, async () => {
    const [first, ...others] = await told(deployment(change));
    assertEquals([first?.code, first?.level, first?.file, first?.line, others.length], [
      code,
      "warning",
      "deployment.yaml",
      line,
      0,
    ]);
    assertStringIncludes(first?.message ?? "", says);
  });
}

Deno.test("probes that are missing are told one by one", async () => {
  const without = FINE.slice(0, FINE.indexOf("          livenessProbe"));
  assertEquals((await told(without)).map(({ message }) => message), [
    "Deployment 'shop' has no livenessProbe.",
    "Deployment 'shop' has no readinessProbe.",
  ]);
});

Deno.test("a probe that runs the server's own healthcheck is as good as any", async () => {
  const exec = 'exec: { command: ["/usr/local/bin/protean-server", "healthcheck"] }';
  assertEquals(await told(deployment(["httpGet: { path: /livez, port: health }", exec])), []);
});

Deno.test("probes and settings are held against each other", async () => {
  const off = await told(FINE, `${SERVERS}[server.health]\nenabled = false\n`);
  assertEquals(off.map(({ code }) => code), ["MANIFEST_PROBES", "MANIFEST_PROBES"]);
  const elsewhere = await told(FINE, `${SERVERS}[server.health]\nport = 9000\n`);
  assertEquals(elsewhere.map(({ code }) => code), ["MANIFEST_PORTS", "MANIFEST_PORTS"]);
  const loopback = await told(FINE, `${SERVERS}[server.health]\nhost = "127.0.0.1"\n`);
  assertStringIncludes(loopback[0]?.message ?? "", "from outside of the pod");
  const slow = await told(
    FINE,
    `${SERVERS}[server]\ndrain_timeout_seconds = 60\n[telemetry]\nflush_timeout_seconds = 3\n`,
  );
  assertStringIncludes(slow[0]?.message ?? "", "needs 73: 5 (preStop) + 60 (drain) + 3 (flush) + 5");
});

Deno.test("SQLite needs a volume where the root only reads, and is alone", async () => {
  const codes = async (manifest: string) => (await told(manifest, "")).map(({ code }) => code);
  assertEquals(await codes(FINE), ["MANIFEST_EMBEDDED_REPLICAS", "MANIFEST_NOT_WRITABLE"]);
  const alone = deployment(["replicas: 2", "replicas: 1"]);
  assertEquals(await codes(alone), ["MANIFEST_NOT_WRITABLE"]);
  const mount = (path: string) => `volumeMounts: [{ name: data, mountPath: ${path} }]\n          lifecycle:`;
  const mounted = (path: string) => alone.replace("lifecycle:", mount(path));
  assertEquals(await codes(mounted("/data")), []);
  assertEquals(await codes(mounted("/database")), ["MANIFEST_NOT_WRITABLE"]);
  const named = mounted("/var/lib").replace(
    "lifecycle:",
    "env: [{ name: PROTEAN_DATA_DIR, value: /var/lib/shop }]\n          lifecycle:",
  );
  assertEquals(await codes(named), []);
});

const scaler = (kind: string, limit: string, target = "shop") =>
  `${FINE}---\nkind: ${kind}\nmetadata: { name: scaler }\nspec:\n  ${limit}\n  scaleTargetRef: { name: ${target} }\n`;
const scales: readonly (readonly [what: string, manifest: string, replicas: number])[] = [
  ["its own replicas", FINE, 2],
  ["one where none are said", deployment(["  replicas: 2\n", ""]), 1],
  ["an HPA's maxReplicas", scaler("HorizontalPodAutoscaler", "maxReplicas: 7"), 7],
  ["a ScaledObject's maxReplicaCount", scaler("ScaledObject", "maxReplicaCount: 9"), 9],
  ["KEDA's own 100", scaler("ScaledObject", "pollingInterval: 9"), 100],
  ["its own beside another's HPA", scaler("HorizontalPodAutoscaler", "maxReplicas: 7", "other"), 2],
  ["both of two Deployments", `${FINE}---\n${FINE.replace("name: shop", "name: more")}`, 4],
  [
    "those of a List",
    `kind: List\nitems:\n${FINE.split("\n").map((l, i) => `${i === 0 ? "- " : "  "}${l}`).join("\n")}`,
    2,
  ],
];
for (const [what, manifest, replicas] of scales) {
  Deno.test(`there are as many replicas as ${what}`, () => {
    const workloads = readWorkloads(manifest, "m.yaml");
    assertEquals(scaleOf(workloads, {}), { workers: 3, replicas });
    assertEquals(scaleOf(workloads, { workers: 5, replicas: 6 }), { workers: 5, replicas: 6 });
  });
}

Deno.test("max replicas × workers × pool are held against the database", async () => {
  const workloads = readWorkloads(scaler("HorizontalPodAutoscaler", "maxReplicas: 7"), "m.yaml");
  const { findings } = await checked(SERVERS, { workloads, scale: scaleOf(workloads, {}) });
  const [over] = findings.filter(({ code }) => code === "POOL_EXCEEDS_DATABASE_LIMIT");
  assertStringIncludes(over?.message ?? "", "7 × 3 × (5 + 10) = 315 connections");
});

const postgres =
  "kind: StatefulSet\nmetadata: { name: db }\nspec:\n  template:\n    spec:\n      containers: [{ name: postgres, image: postgres }]\n";

Deno.test("other workloads of the file are nobody's business, unless nothing looks like the server", () => {
  assertEquals(readWorkloads(`${postgres}---\n${FINE}---\n# nothing\n`, "m.yaml").map(({ label }) => label), [
    "Deployment 'shop'",
  ]);
  assertEquals(readWorkloads(postgres, "m.yaml").map(({ label }) => label), ["StatefulSet 'db'"]);
});

const refused: readonly (readonly [what: string, text: string, code: string, line: number | undefined])[] = [
  ["no YAML", "kind: Deployment\n  bad: [1,\n", "MANIFEST_MALFORMED", undefined],
  ["a tab", "kind:\n\t- x\n", "MANIFEST_MALFORMED", 2],
  ["an unclosed quote", 'kind: "Deployment\n', "MANIFEST_MALFORMED", 2],
  ["deep nesting", "[".repeat(100_000), "MANIFEST_MALFORMED", undefined],
  ["aliases without end", `a: &a [x, x]\n${bombs()}`, "MANIFEST_MALFORMED", undefined],
  ["a template", deployment(["replicas: 2", "replicas: {{ .Values.replicas }}"]), "MANIFEST_TEMPLATE", 6],
  ["a template with conditions", `{{- if .Values.on }}\n${FINE}{{- end }}\n`, "MANIFEST_TEMPLATE", 1],
  [
    "a template in quotes",
    deployment(["GracePeriodSeconds: 30", 'GracePeriodSeconds: "{{ .Values.grace }}"']),
    "MANIFEST_TEMPLATE",
    6,
  ],
  ["nothing", "", "MANIFEST_NO_WORKLOAD", undefined],
  ["comments", "# nothing\n---\n# at all\n", "MANIFEST_NO_WORKLOAD", undefined],
  ["a scalar", "Deployment\n", "MANIFEST_NO_WORKLOAD", undefined],
  ["a Service alone", "kind: Service\nspec: { ports: [] }\n", "MANIFEST_NO_WORKLOAD", undefined],
  [
    "a Deployment without containers",
    "kind: Deployment\nspec: { template: { spec: { containers: [] } } }\n",
    "MANIFEST_NO_WORKLOAD",
    undefined,
  ],
  ["a Deployment of scalars", "kind: Deployment\nspec: 7\n", "MANIFEST_NO_WORKLOAD", undefined],
];

function bombs(): string {
  return [..."bcdefghij"].map((name, at) => `${name}: &${name} [${`*${"abcdefghij"[at]}, `.repeat(20)}]\n`)
    .join("");
}
for (const [what, text, code, line] of refused) {
  Deno.test(`a manifest of ${what} is ${code}`, () => {
    const { problems } = assertThrows(() => readWorkloads(text, "m.yaml"), ConfigurationError);
    assertEquals([problems[0]?.code, problems[0]?.file], [code, "m.yaml"]);
    if (line !== undefined) assertEquals(problems[0]?.line, line);
  });
}

Deno.test("a text for another program that looks like a template is none", () => {
  const annotated = deployment([
    "  template:\n",
    "  template:\n    metadata:\n      annotations: { vault: '{{ with secret }}' }\n",
  ]);
  assertEquals(readWorkloads(annotated, "m.yaml").length, 1);
});

Deno.test("values of the wrong kind are taken for none", async () => {
  const odd = deployment(["replicas: 2", "replicas: many"], [
    "GracePeriodSeconds: 30",
    "GracePeriodSeconds: soon",
  ], [
    "seconds: 5",
    "seconds: [5]",
  ]);
  assertEquals(readWorkloads(odd, "m.yaml")[0]?.replicas, 1);
  assertEquals(await told(odd), []);
});

Deno.test("a manifest that deploys nothing is told in one sentence that names its file once", () => {
  const { message, problems } = assertThrows(
    () => readWorkloads("kind: Service\n", "m.yaml"),
    ConfigurationError,
  );
  assertEquals(problems[0]?.message.includes("m.yaml"), false);
  assertEquals(message.split("m.yaml").length, 2);
  assertStringIncludes(message, "m.yaml: It holds no Deployment");
});

Deno.test("an autoscaler may stand in a file of its own, and findings name the file of theirs", () => {
  const [deployed = "", scaling = ""] = scaler("HorizontalPodAutoscaler", "maxReplicas: 7").split("---\n");
  const files = [{ text: scaling, name: "hpa.yaml" }, { text: deployed, name: "deployment.yaml" }];
  const workloads = readFiles(files);
  assertEquals(workloads.map(({ file, replicas }) => [file, replicas]), [["deployment.yaml", 7]]);
  const { problems } = assertThrows(
    () => readFiles([{ text: "a: [", name: "one.yaml" }, { text: "b: {{ .x }}", name: "two.yaml" }]),
    ConfigurationError,
  );
  assertEquals(problems.map(({ code, file }) => [code, file]), [
    ["MANIFEST_MALFORMED", "one.yaml"],
    ["MANIFEST_TEMPLATE", "two.yaml"],
  ]);
});

for (
  const [command, seconds] of [
    ["[sleep, 1m]", 60],
    ["[sleep, 1.5m, 10s]", 100],
    ["[sh, -c, 'sleep 5; curl -s x; sleep 10']", 15],
    ["[sh, -c, 'nosleep']", undefined],
  ] as const
) {
  Deno.test(`a preStop of ${command} takes ${seconds} seconds`, () => {
    const manifest = deployment(["sleep: { seconds: 5 }", `exec: { command: ${command} }`]);
    assertEquals(readWorkloads(manifest, "d.yaml")[0]?.preStop?.value.seconds, seconds);
  });
}

const hpaOf = (most: string, namespace = "default") =>
  `---
kind: HorizontalPodAutoscaler
metadata: { name: shop, namespace: ${namespace} }
spec: { maxReplicas: ${most}, scaleTargetRef: { kind: Deployment, name: shop } }
`;

Deno.test("an autoscaler scales what is in its namespace, or in one that is not said", () => {
  const replicas = (text: string) => readWorkloads(text, "d.yaml")[0]?.replicas;
  assertEquals(replicas(FINE + hpaOf("9")), 9);
  const inShop = deployment(["name: shop", "name: shop\n  namespace: shop"]);
  assertEquals([replicas(inShop + hpaOf("9")), replicas(inShop + hpaOf("9", "shop"))], [2, 9]);
});

for (
  const [text, line] of [
    [deployment(["replicas: 2", "replicas: ${REPLICAS}"]), 6],
    [deployment(["Seconds: 30", "Seconds: <seconds>"]), 9],
    [FINE + hpaOf('"{{ most }}"'), 27],
  ] as const
) {
  Deno.test(`a number that is still to be filled in makes a template of it (line ${line})`, () => {
    const error = assertThrows(() => readWorkloads(text, "d.yaml"), ConfigurationError);
    assertEquals(error.problems.map((problem) => [problem.code, problem.line]), [[
      "MANIFEST_TEMPLATE",
      line,
    ]]);
  });
}
