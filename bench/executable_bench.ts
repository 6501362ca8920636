/**
 * What the executable costs to start and to keep, against an empty program compiled by the same Deno,
 * alternately in one run:
 *
 * - from the start of the process to its first log line, and to the first `/readyz` that says 200, on the
 *   embedded default;
 * - its size, and its memory when it has been ready for a second with nothing to do;
 * - from SIGTERM to its end when it has nothing to do;
 * - the share of one core that it takes for a minute with nothing to do, heartbeats included.
 *
 * Run: `deno task compile && deno run -A bench/executable_bench.ts [executable] [starts] [idle seconds]`. Memory
 * and processor time are read where there is a /proc.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../tests/support/free_port.ts";
import { until } from "../tests/support/until.ts";
import { print, ratio, seconds } from "./report.ts";

const executable = resolve(Deno.args[0] ?? fileURLToPath(new URL("../protean-server", import.meta.url)));
const STARTS = Number(Deno.args[1] ?? 15);
const IDLE_SECONDS = Number(Deno.args[2] ?? 60);
/** What a start leaves behind is compiled and collected by then. */
const SETTLED_MS = 12_000;
/** Of /proc: the same on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

interface Start {
  readonly log: number;
  readonly ready: number;
  readonly drain: number;
  /** Bytes. */
  readonly memory: number;
}

const folder = await Deno.makeTempDir({ prefix: "protean-bench-" });
try {
  const empty = await compileEmpty(folder);
  const starts: Start[] = [];
  const bare: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    bare.push(await runEmpty(empty));
    starts.push(await startServer(folder));
  }
  const middle = (pick: (start: Start) => number) => median(starts.map(pick));
  const against = "an empty program, start to end";
  const nothing = median(bare);
  const log = middle((start) => start.log);
  const ready = middle((start) => start.ready);
  print("start to first log line, ms", log, against, nothing, ratio(log, nothing));
  print("start to ready, ms", ready, against, nothing, ratio(ready, nothing));
  const sizes = [(await Deno.stat(executable)).size / 1e6, (await Deno.stat(empty)).size / 1e6] as const;
  print("size, MB", sizes[0], "an empty program", sizes[1], ratio(...sizes));
  const memory = middle((start) => start.memory) / 1e6;
  if (memory > 0) print("idle memory (RSS), MB", memory, "its size, MB", sizes[0], ratio(memory, sizes[0]));
  const idle = await idleShare(folder);
  if (idle > 0) print("idle, % of one core", idle, "may take, %", 1, ratio(idle, 1));
  seconds("medians", { log, ready, drain: middle((start) => start.drain), empty: nothing });
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function compileEmpty(folder: string): Promise<string> {
  await Deno.writeTextFile(`${folder}/empty.js`, "Deno.exit(0);");
  const { success, stderr } = await new Deno.Command(Deno.env.get("DENO_COMPILE") || Deno.execPath(), {
    args: ["compile", "--quiet", "--no-check", "--no-lock", "--no-config", "--output=empty", "empty.js"],
    cwd: folder,
  }).output();
  if (!success) throw new Error(`An empty program cannot be compiled: ${new TextDecoder().decode(stderr)}`);
  return `${folder}/empty`;
}

async function runEmpty(program: string): Promise<number> {
  const began = performance.now();
  await new Deno.Command(program).output();
  return performance.now() - began;
}

/** User and system time of one more server, in % of the time that passes; 0 where it cannot be known. */
async function idleShare(folder: string): Promise<number> {
  let share = 0;
  await startServer(folder, async (pid) => {
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    const [before, began] = [ticksOf(pid), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
    const seconds = (performance.now() - began) / 1000;
    share = 100 * (ticksOf(pid) - before) / TICKS_PER_SECOND / seconds;
  });
  return share;
}

/** Processor time that a process has used, in ticks; 0 where it cannot be known. */
function ticksOf(pid: number): number {
  try {
    // Behind the name, which may hold anything: state is the third field, user and system time 14 and 15.
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/.*\) /s, "").split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

async function startServer(folder: string, whileReady?: (pid: number) => Promise<void>): Promise<Start> {
  const data = await Deno.makeTempDir({ dir: folder });
  const port = freePort();
  await Deno.writeTextFile(`${data}/domain.toml`, `[server.health]\nport = ${port}\n`);
  const began = performance.now();
  const child = new Deno.Command(executable, {
    args: ["--domain=my_domain", "--log-format=json"],
    cwd: data,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  await reader.read();
  const log = performance.now() - began;
  const rest = swallow(reader);
  await until(() => isReady(port), "the server to be ready", { every: 2 });
  const ready = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const memory = residentSize(child.pid);
  await whileReady?.(child.pid);
  const told = performance.now();
  child.kill("SIGTERM");
  const { code } = await child.status;
  await rest;
  if (code !== 0) throw new Error(`The server ended with ${code}.`);
  return { log, ready, drain: performance.now() - told, memory };
}

async function isReady(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  await response.body?.cancel();
  return response.status === 200;
}

async function swallow(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}

/** In bytes; 0 where it cannot be known. */
function residentSize(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}
