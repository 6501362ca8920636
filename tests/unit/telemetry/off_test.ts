/** Off, telemetry costs nothing: no module of OpenTelemetry is loaded (issue 16, 1). */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, normalize, relative } from "node:path";
import { root } from "../../../tools/root.ts";

interface Imports {
  /** Modules that are loaded with this one, by path or name. */
  readonly always: readonly string[];
  /** Modules that are loaded once somebody asks. */
  readonly asked: readonly string[];
}

const STATIC = /^\s*(?:import|export)\s+(?!type\b)(?:[\w*{][^;"']*?\bfrom\s+)?["']([^"']+)["']/gm;
const DYNAMIC = /\bimport\(\s*["']([^"']+)["']/g;

async function importsOf(path: string): Promise<Imports> {
  const text = (await Deno.readTextFile(join(root, path))).replace(/\/\*[\s\S]*?\*\//g, "");
  const found = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, to = ""]) => resolved(path, to));
  return { always: found(STATIC), asked: found(DYNAMIC) };
}

function resolved(from: string, to: string): string {
  if (!to.startsWith(".")) return to;
  return relative(root, normalize(join(root, dirname(from), to)));
}

/** All that is loaded with `entry`, and who asks for what else. */
async function loaded(entry: string): Promise<{ all: Set<string>; asked: [from: string, to: string][] }> {
  const all = new Set<string>();
  const asked: [string, string][] = [];
  const open = [entry];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (all.has(next)) continue;
    all.add(next);
    if (!next.endsWith(".ts") || next.startsWith("@")) continue;
    const imports = await importsOf(next);
    open.push(...imports.always);
    asked.push(...imports.asked.map((to): [string, string] => [next, to]));
  }
  return { all, asked };
}

const isOpenTelemetry = (name: string) => /opentelemetry/.test(name);

Deno.test("nothing of OpenTelemetry is loaded with the server, and one module of it alone asks for that", async () => {
  const asking = new Set<string>();
  const seen = new Set<string>();
  const open = ["main.ts", "lib/mod.ts", "lib/cli/mod.ts"];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    if (seen.has(entry)) continue;
    seen.add(entry);
    const { all, asked } = await loaded(entry);
    assertEquals([...all].filter(isOpenTelemetry), [], `loaded with ${entry}`);
    for (const [from, to] of asked) {
      const beneath = await loaded(to);
      if ([...beneath.all].some(isOpenTelemetry)) asking.add(`${from} → ${to}`);
      else if (to.endsWith(".ts")) open.push(to);
    }
  }
  assert(seen.size > 10, `Only ${[...seen]} were looked at.`);
  assertEquals([...asking].sort(), [
    // A command of its own, which is for metrics.
    "lib/cli/commands/observatory.ts → lib/observatory/server.ts",
    "lib/telemetry/open.ts → lib/telemetry/live.ts",
  ]);
});
