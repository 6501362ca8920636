/**
 * A real Prometheus for tests, and its promtool.
 *
 * @module
 */
import { freePort } from "./free_port.ts";

/** True where both can be run. In CI their absence is an error. */
export const prometheusAvailable: boolean = detect();

/** Registers a test that needs Prometheus; ignored on a machine without one, except in CI. */
export function prometheusTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: !prometheusAvailable, fn: run });
}

function detect(): boolean {
  try {
    return ["prometheus", "promtool"].every((program) =>
      new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success
    );
  } catch {
    if (Deno.env.get("CI") !== "1") return false;
    throw new Error("These tests need prometheus on the PATH: install it (apt-get install prometheus).");
  }
}

/** What promtool finds, but for the one name that is the reference's own (wire 9.5). */
export async function findings(input: string): Promise<readonly string[]> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const lines = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return lines.split("\n").filter((line) => line !== "" && !line.startsWith("protean_outbox_pending_count "));
}

function configOf(target: number): string {
  return "scrape_configs:\n  - job_name: protean\n    static_configs:\n" +
    `      - targets: ["127.0.0.1:${target}"]\n`;
}

export class Prometheus implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly folder: string,
    readonly child: Deno.ChildProcess,
  ) {}

  /** Scrapes the page on the port `target` every second, or what `scrapeConfigs`, a block of YAML, says. */
  static async start(target: number, scrapeConfigs = configOf(target)): Promise<Prometheus> {
    const folder = await Deno.makeTempDir({ prefix: "protean-prometheus-" });
    const port = freePort();
    await Deno.writeTextFile(
      `${folder}/prometheus.yml`,
      `global: { scrape_interval: 1s }\n${scrapeConfigs}`,
    );
    const child = new Deno.Command("prometheus", {
      args: [
        ...[`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`],
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    return new Prometheus(port, folder, child);
  }

  /** The one value of the answer; undefined: there is none yet. */
  async query(expression: string): Promise<string | undefined> {
    try {
      const url = `http://127.0.0.1:${this.port}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const answer = await (await fetch(url)).json();
      return answer.data?.result?.[0]?.value?.[1];
    } catch {
      // It has not begun to listen.
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}
