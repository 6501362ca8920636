/**
 * What `demo` does: a thousand orders are sent, handled, retried and, where they cannot succeed,
 * dead-lettered; then it is told what happened, and the server drains.
 *
 * @module
 */
import { systemClock } from "../async/clock.ts";
import { DeadLetterQueues } from "../dlq/queues.ts";
import type { Domain } from "../domain/domain.ts";
import { type DomainRuntime, runtimeOf } from "../domain/runtime.ts";
import { Engine } from "../engine/engine.ts";
import { asError, ConfigurationError, ProteanError } from "../errors.ts";
import { beginLog } from "./begin_log.ts";
import type { Cli, Demo } from "./cli.ts";
import { letterDetails } from "./dead_letter_view.ts";
import { readLines } from "./lines.ts";
import { Progress } from "./progress.ts";
import { catchStrayErrors } from "./stray_errors.ts";
import { table } from "./table.ts";

const whole = (figure: number) => Math.round(figure).toLocaleString("en");

/** Runs the bundled domain on SQLite in a temporary folder that goes away again. */
export async function demo(cli: Cli, sample: Demo): Promise<void> {
  const load = cli.compiledIn.domains[sample.domain];
  if (!load) {
    throw new ProteanError(
      `The executable does not carry the domain '${sample.domain}', which its demo runs.`,
    );
  }
  const folder = await temporaryFolder();
  try {
    beginLog(cli, {}, "fatal");
    const domain = await load();
    await domain.init({ config: configuration(folder) });
    cli.exitCode = await show(cli, domain, sample, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function temporaryFolder(): Promise<string> {
  try {
    return await Deno.makeTempDir({ prefix: "protean-demo-" });
  } catch (cause) {
    throw new ConfigurationError(
      `The demo needs a folder for its databases and cannot make a temporary one (${
        asError(cause).message
      }): let TMPDIR name one that can be written to.`,
      { code: "TEMPORARY_FOLDER", cause },
    );
  }
}

async function show(cli: Cli, domain: Domain, sample: Demo, folder: string): Promise<number> {
  const { io, colors } = cli;
  const title = (text: string) => io.out(`\n${colors.bold(text)}\n`);
  io.out(
    `${
      colors.bold("protean-server demo")
    }: the domain '${sample.domain}' on the embedded default, SQLite in ${folder}\n`,
  );
  const runtime = runtimeOf(domain);
  const engine = new Engine(domain);
  const stop = new AbortController();
  using _strays = catchStrayErrors((error) => engine.fail(error));
  const running = engine.run({ signal: stop.signal });
  try {
    const { hostname, port } = await Promise.race([engine.listening, neverBegun(running)]);
    const began = performance.now();
    const sent = await send(cli, domain, sample);
    const sentIn = performance.now() - began;
    const busy = await watch(cli, engine, began);
    title("What happened");
    io.out(
      `${whole(sent)} orders sent in ${(sentIn / 1000).toFixed(2)} s; all that came of them handled ${
        (busy / 1000).toFixed(2)
      } s after the first.\n`,
    );
    io.out(
      `${whole(handled(engine))} handler runs committed, ${
        whole(handled(engine) / (busy / 1000))
      } a second, retries and their waits included.\n\n`,
    );
    io.out(
      await table(
        cli,
        ["Handler", "Stream", "Handled", "Failed runs", "Retried", "Dead-lettered"],
        rows(engine),
      ),
    );
    title(`The readiness probe, http://${hostname}:${port}/readyz`);
    const probe = await fetch(`http://${hostname}:${port}/readyz`);
    io.out(`${probe.status} ${summary(await probe.json())}\n`);
    title("One dead letter");
    io.out(await oneDeadLetter(cli, runtime));
  } catch (error) {
    stop.abort("the demo has failed");
    await Promise.allSettled([running]);
    throw error;
  }
  stop.abort("the demo is over");
  const draining = performance.now();
  const code = await running;
  io.out(`\nDrained in ${Math.round(performance.now() - draining)} ms, exit code ${code}.\n`);
  return code;
}

/** Rejects when the server ends, so that nobody waits for what it would have done. */
async function neverBegun(running: Promise<number>): Promise<never> {
  const code = await running;
  throw new ProteanError(`The server of the demo ended with exit code ${code} before it had begun.`);
}

/** Sends the sample through `domain.process`, as `send` does. */
async function send(cli: Cli, domain: Domain, sample: Demo): Promise<number> {
  const progress = new Progress(cli, systemClock);
  const type = runtimeOf(domain).messageType(sample.command);
  if (!type) throw new ProteanError(`The demo sends ${sample.command}, which its domain does not have.`);
  const file = new TextEncoder().encode(await sample.lines());
  let sent = 0;
  for await (const line of readLines(ReadableStream.from([file]), { maxBytes: 65_536 })) {
    if (!("text" in line) || line.text === "") continue;
    await domain.process(type, JSON.parse(line.text));
    progress.update(`${++sent} orders sent`, sent / 1000);
  }
  progress.clear();
  return sent;
}

/** Waits until everything is worked off, retries included; returns the milliseconds since `began`. */
async function watch(cli: Cli, engine: Engine, began: number): Promise<number> {
  const progress = new Progress(cli, systemClock);
  const quiet = engine.untilQuiet(() =>
    progress.update(
      `${whole(handled(engine))} handler runs committed, ${whole(total(engine, "failed"))} failed`,
      undefined,
    )
  );
  await quiet;
  progress.clear();
  return performance.now() - began;
}

type Counter = keyof Engine["subscriptions"][number]["counters"];

function total(engine: Engine, counter: Counter): number {
  return engine.subscriptions.reduce((sum, { counters }) => sum + counters[counter], 0);
}

function handled(engine: Engine): number {
  return total(engine, "handled");
}

function rows(engine: Engine): string[][] {
  return engine.subscriptions.map(({ handler, category, counters }) => [
    handler,
    category,
    whole(counters.handled),
    whole(counters.failed),
    whole(counters.retried),
    whole(counters.deadLettered),
  ]);
}

/** The probe's verdict without the rows, which the table above shows better. */
function summary(body: { status: string; checks: Record<string, unknown> }): string {
  const { subscriptions: _rows, ...checks } = body.checks;
  return JSON.stringify({ status: body.status, checks });
}

async function oneDeadLetter(cli: Cli, runtime: DomainRuntime): Promise<string> {
  const queues = DeadLetterQueues.of(runtime);
  const { entries: [first] } = await queues.list({ limit: 1 });
  if (!first) return "There is none.\n";
  // A list has no messages.
  const { letter, ...found } = await queues.find(first.id, {});
  return letterDetails(cli, { ...found, letter: { ...letter, errorStack: null } });
}

/** The embedded default in a folder of its own, with the probes on any free port. */
function configuration(folder: string): Record<string, unknown> {
  const database = `sqlite:///${folder}/demo.db`;
  const streams = `sqlite:///${folder}/demo-streams.db`;
  return {
    databases: { default: { provider: "sqlite", database_uri: database } },
    event_store: { provider: "sqlite", database_uri: database },
    brokers: { default: { provider: "sqlite", URI: streams } },
    caches: { default: { provider: "sqlite", URI: streams } },
    server: { health: { port: 0 } },
  };
}
