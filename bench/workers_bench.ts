/**
 * What workers bring and cost (issue 15): messages a second at 1, 2 and 4 workers on a handler that costs 1 ms of
 * CPU, memory of each, and what a probe takes meanwhile (PERF-6). On Redis; from source, or the executable that
 * `PROTEAN_BINARY` names. Two workers on two cores should reach 1.7 times one.
 *
 * @module
 */
import { Redis } from "ioredis";
import { freePort } from "../tests/support/free_port.ts";
import { encodeEvent } from "../tests/support/encode_message.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { until } from "../tests/support/until.ts";
import { program } from "../tests/e2e/server.ts";
import { print, rate, ratio, seconds } from "./report.ts";

const MESSAGES = 6_000;
const STREAM = "burn::log";
const GROUP = "burn.Burns";
const PROBE_EVERY_MS = 20;

interface Measured {
  readonly perSecond: number;
  /** Of the supervisor and each worker, in MB. */
  readonly memory: readonly number[];
  readonly probes: readonly number[];
}

const results = new Map<number, Measured>();
for (const workers of [1, 2, 4]) results.set(workers, await measure(workers));
const one = results.get(1);
for (const [workers, { perSecond, memory, probes }] of results) {
  const base = one?.perSecond ?? NaN;
  print(`messages/s with ${workers} workers`, perSecond, "one", base, ratio(perSecond, base));
  const sorted = probes.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
  seconds(`probes of ${workers} workers under load`, { p50: at(0.5), p99: at(0.99) });
  Deno.stdout.writeSync(new TextEncoder().encode(`      memory, MB: ${memory.map(Math.round).join(", ")}\n`));
}

async function measure(workers: number): Promise<Measured> {
  await using redis = await RedisServer.start();
  const folder = await Deno.makeTempDir({ prefix: "protean-bench-" });
  const port = freePort();
  await Deno.writeTextFile(
    `${folder}/domain.toml`,
    `[brokers.default]\nprovider = "redis"\nURI = "${redis.uri}"\n[server.health]\nport = ${port}\n`,
  );
  const [command = "", ...before] = program();
  const domain = new URL("burn_domain.js", import.meta.url).pathname;
  const child = new Deno.Command(command, {
    args: [...before, "server", `--domain=${domain}`, "--config=domain.toml", `--workers=${workers}`],
    ...{ cwd: folder, stdout: "null", stderr: "null" },
  }).spawn();
  const client = new Redis(redis.uri);
  try {
    const probe = async (path: string) => {
      const began = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
      const body = await answer.json();
      return { took: performance.now() - began, status: answer.status, body };
    };
    await until(async () => (await probe("/readyz")).status === 200, "the server to be ready");
    const { body } = await probe("/readyz");
    const pids = Object.values((body.checks.workers ?? {}) as Record<string, { pid: number }>).map((
      { pid },
    ) => pid);
    const began = performance.now();
    const pipeline = client.pipeline();
    for (let at = 0; at < MESSAGES; at++) pipeline.xadd(STREAM, "*", "data", message(at));
    await pipeline.exec();
    const probes: number[] = [];
    await until(
      async () => {
        probes.push((await probe("/livez")).took);
        const [group] = await client.xinfo("GROUPS", STREAM) as unknown[][];
        const facts = new Map(Array.from({ length: (group?.length ?? 0) / 2 }, (_, at) => [
          String(group?.[2 * at]),
          group?.[2 * at + 1],
        ]));
        return facts.get("name") === GROUP && facts.get("lag") === 0 && facts.get("pending") === 0;
      },
      "everything to be handled",
      { every: PROBE_EVERY_MS, within: 120_000 },
    );
    const perSecond = rate(MESSAGES, performance.now() - began);
    return { perSecond, probes, memory: [child.pid, ...pids].map(residentMB) };
  } finally {
    client.disconnect();
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

function message(at: number): string {
  return encodeEvent({
    type: "Burn.Lit.v1",
    category: STREAM,
    id: `${at}`,
    n: 0,
    time: Date.now(),
    data: { at },
  });
}

function residentMB(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  return Number(kilobytes) / 1000;
}
