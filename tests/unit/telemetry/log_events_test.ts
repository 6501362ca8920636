import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { LOG_EVENTS, type LogEvent } from "../../../lib/telemetry/log_events.ts";
import { root } from "../../../tools/root.ts";
import { type LogCall, logCalls, loggerOf } from "../../support/log_calls.ts";

/** Names that are put together, and what comes of them. */
const COMPUTED: Readonly<Record<string, readonly string[]>> = {
  "`engine.${name}`": [
    "engine.handlers_drained",
    "engine.outbox_flushed",
    "engine.telemetry_flushed",
    "engine.adapters_closed",
    "engine.health_listener_closed",
  ],
  "`outbox.${outcome.status}`": ["outbox.failed", "outbox.abandoned"],
  "`access.handler_${outcome}`": ["access.handler_completed", "access.handler_failed"],
  "`${event}_more`": ["subscription.dead_lettered_more", "subscription.discarding_more"],
  "`${this.#purpose.name}.listening`": ["health.listening", "observatory.listening"],
  "`${this.#purpose.name}.stopped`": ["health.stopped", "observatory.stopped"],
  "`${this.#purpose.name}.port_unavailable`": ["health.port_unavailable", "observatory.port_unavailable"],
  "`${this.#purpose.name}.listener_lost`": ["health.listener_lost", "observatory.listener_lost"],
  "`${this.#purpose.name}.connection_refused`": [
    "health.connection_refused",
    "observatory.connection_refused",
  ],
  // Codes of findings, which check.md has.
  "eventName(finding)": [],
  // What the listener in another thread tells; it is a module of lib/health like any other.
  "event": [],
};

interface Told extends Omit<LogCall, "name"> {
  readonly name: string;
  /** The names that one call may tell, `name` among them. */
  readonly names: readonly string[];
  readonly where: string;
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

async function told(): Promise<Map<string, Told[]>> {
  const found = new Map<string, Told[]>();
  for await (const path of sources(join(root, "lib"))) {
    const text = await Deno.readTextFile(path);
    const logger = loggerOf(text);
    if (logger === undefined) continue;
    for (const call of logCalls(text)) {
      const names = call.isPlain ? [call.name] : COMPUTED[call.name] ?? [`${call.name} is not in COMPUTED`];
      for (const name of names) {
        const key = `${logger} ${name}`;
        found.set(key, [...found.get(key) ?? [], { ...call, name, names, where: path.slice(root.length) }]);
      }
    }
  }
  return found;
}

const calls = await told();
const declared: ReadonlyMap<string, LogEvent> = new Map(
  Object.entries(LOG_EVENTS).flatMap(([logger, events]) =>
    Object.entries(events).map(([name, event]) => [`${logger} ${name}`, event] as const)
  ),
);

Deno.test("every event that the code tells is in lib/telemetry/log_events.ts, below its logger", () => {
  const missing = [...calls].filter(([key]) => !declared.has(key)).map((
    [key, [first]],
  ) => [key, first?.where]);
  assertEquals(missing, []);
});

Deno.test("every event of the list is told", () => {
  assertEquals([...declared.keys()].filter((key) => !calls.has(key)), []);
});

Deno.test("events have the levels of the list", () => {
  const levels = (of: readonly (string | undefined)[]) => [...new Set(of)].sort().join(" ");
  const used = [...calls].filter(([key]) => declared.has(key))
    .map(([key, all]) => [key, levels(all.map(({ level }) => level))]);
  const said = used.map(([key]) => [key, levels(declared.get(key ?? "")?.[0].split(" ") ?? [])]);
  assertEquals(used, said);
});

function wordsOf(key: string): readonly string[] {
  return declared.get(key)?.[1].split(" ").filter((word) => word !== "") ?? [];
}

Deno.test("events have the properties of the list", () => {
  const wrong: string[] = [];
  for (const [key, all] of calls) {
    if (!declared.has(key)) continue;
    const words = wordsOf(key);
    const [logger] = key.split(" ");
    for (const { properties, isWhole, where, names } of all) {
      // Some of them may belong to one of its names alone.
      const known = new Set(
        names.flatMap((name) => wordsOf(`${logger} ${name}`)).map((word) => word.replace("?", "")),
      );
      for (const name of properties) {
        if (!known.has(name)) wrong.push(`${key} has '${name}' in ${where}, and not in the list`);
      }
      for (const word of words) {
        if (isWhole && !word.endsWith("?") && !properties.includes(word)) {
          wrong.push(`${key} has no '${word}' in ${where}: it is 'word?' in the list, or gone`);
        }
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("every event has a sentence", () => {
  for (const [key, [, , meaning]] of declared) assertEquals(/^\S.*\.\)?$/.test(meaning), true, key);
});

Deno.test("calls are read as they are written", () => {
  const text = `const log = getLogger(["protean", "x"]);
    log.warn("a.b", { one, ...{ two: f(1, "},"), three }, four: \`\${x}, y\` });
    log[level](event, facts);
    log.debug("a.c", { ...facts, five: 5 });
    const known = { six, ...(seven && { seven }) };
    log.info("a.d", known);
    log.info("a.e", { ...known, eight });
    log.fatal(
      \`a.\${kind}\`,
    );`;
  assertEquals(loggerOf(text), "protean.x");
  assertEquals(
    logCalls(text).map(({ level, name, properties, isWhole }) => [level, name, properties, isWhole]),
    [
      ["warning", "a.b", ["one", "two", "three", "four"], true],
      [undefined, "event", [], false],
      ["debug", "a.c", ["five"], false],
      ["info", "a.d", ["six", "seven"], true],
      ["info", "a.e", ["six", "seven", "eight"], true],
      ["critical", "`a.${kind}`", [], true],
    ],
  );
});
