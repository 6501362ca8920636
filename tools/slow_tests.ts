/**
 * Which tests took longest: `deno run --allow-read tools/slow_tests.ts FILE [HOW_MANY]`, where FILE is what
 * `deno test --junit-path` has written.
 *
 * @module
 */

/** One test of a report, and how many seconds it took. */
export interface Timed {
  readonly name: string;
  readonly file: string;
  readonly seconds: number;
}

/** The tests of a JUnit report as Deno writes it, the longest first. */
export function slowest(report: string, most: number): readonly Timed[] {
  const tests = report.matchAll(/<testcase name="([^"]*)" classname="([^"]*)" time="([\d.]+)"/g);
  const found = [...tests].map(([, name = "", file = "", seconds]) => ({
    name: plain(name),
    file,
    seconds: Number(seconds),
  }));
  return found.sort((a, b) => b.seconds - a.seconds).slice(0, most);
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? "");
}

if (import.meta.main) {
  const [file, most = "20"] = Deno.args;
  if (file === undefined) throw new Error("Name the report: tools/slow_tests.ts FILE [HOW_MANY].");
  const lines = slowest(await Deno.readTextFile(file), Number(most))
    .map(({ name, file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file}  ${name}\n`);
  await Deno.stdout.write(new TextEncoder().encode(lines.join("")));
}
