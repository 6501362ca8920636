/**
 * Runs every benchmark of this folder, one process each, one after the other. All figures are ratios within
 * one run; absolute ones only say on what kind of machine. `deno task bench [name]` runs those whose file
 * name contains the word.
 *
 * @module
 */
const wanted = Deno.args[0] ?? "";
const names = [...Deno.readDirSync(import.meta.dirname ?? ".")].map(({ name }) => name).filter((name) =>
  name.endsWith("_bench.ts") && name.includes(wanted)
).sort();
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));

for (const name of names) {
  say(`\n${name}\n`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--v8-flags=--heap-growing-percent=60", new URL(name, import.meta.url).pathname],
  }).spawn().status;
  if (code !== 0) say(`failed with exit code ${code}\n`);
}
