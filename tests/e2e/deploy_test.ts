/** The files of `deploy/` that the server reads, and the one that it writes. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "./run.ts";

const deploy = new URL("../../deploy/", import.meta.url).pathname;
const env = { DATABASE_URL: "postgresql://p:p@127.0.0.1:1/p", REDIS_URL: "redis://127.0.0.1:1/0" };

for (const file of ["kubernetes/base/domain.toml", "compose/domain.toml", "container/domain.toml"]) {
  Deno.test(`deploy/${file} is a configuration that the server takes`, async () => {
    const { code, err } = await run(["config", "print", "--domain=my_domain", `--config=${deploy}${file}`], {
      ...{ cwd: deploy, env },
    });
    assertEquals(code, 0, err);
  });
}

Deno.test("deploy keda prints a trigger for the lag and the pending of every group on Redis, without asking it", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const config = `${cwd}/domain.toml`;
    await Deno.writeTextFile(
      config,
      '[brokers.default]\nprovider = "redis"\nURI = "redis://127.0.0.1:1/0"\n',
    );
    const { code, out, err } = await run(
      ["deploy", "keda", "--domain=my_domain", `--config=${config}`, "--max=4", "--target=50"],
      { cwd, env },
    );
    assertEquals(code, 0, err);
    assertStringIncludes(out, "kind: ScaledObject");
    assertStringIncludes(out, "maxReplicaCount: 4");
    const groups = [...out.matchAll(/consumerGroup: "([^"]+)"/g)].map(([, group]) => group);
    assertEquals(groups.filter((group) => group === "my_domain.OrderEventHandler").length, 2);
    // What reads the event store has no group.
    assert(!groups.includes("my_domain.OrderSummaryProjector"), `${groups}`);
    assertEquals(out.match(/lagCount: "50"/g)?.length, groups.length / 2);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("deploy keda without Redis says what to use instead", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const { code, err } = await run(["deploy", "keda", "--domain=my_domain"], { cwd });
    assertEquals(code, 2);
    assertStringIncludes(err, "deploy/keda/metrics-api.yaml");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
