/**
 * Everything that goes into the executable, in one folder: our modules and the packages they use as a few
 * JavaScript files, and a `deno.json` of their own. Bundled first, the executable is smaller and starts
 * faster: only what a start needs is loaded, and no package is embedded whole.
 *
 * Each export of the library (but `SOURCE_ONLY`) is an entry of the bundle, and all entries share their
 * chunks. So a domain module on disk that imports `@protean/server` gets, through the import map of that
 * `deno.json`, the very library that is running.
 *
 * @module
 */
import { join } from "node:path";
import { commit } from "./commit.ts";
import { run } from "./process.ts";
import { scaffold } from "./scaffold.ts";

/** The part of our `deno.json` that a build reads. */
interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly compile: { readonly permissions: Readonly<Record<string, unknown>> };
}

/** What the bundle holds, as paths in its folder. */
export interface Bundle {
  /** The module that the executable runs. */
  readonly main: string;
  /** Modules that nothing imports until a domain on disk does. */
  readonly others: readonly string[];
  readonly config: string;
}

/**
 * Exports that stay out of the executable: the conformance suites register tests, which only `deno test`
 * runs, and would bring a library of assertions and one of property tests with them.
 */
const SOURCE_ONLY: readonly string[] = ["./testing/conformance"];

/**
 * An export that is a bundle of its own: whole as it must be, it would make every start read more. A schema is
 * judged by what it does, so a second copy of the package is no other.
 */
const APART = "./zod";

/** The module that says where a build came from; the source has one that says nothing. */
const BUILD_INFO = "@protean/build";

/** What `new` writes: one module here, a file in the executable. */
const SCAFFOLD = { name: "@protean/scaffold", file: "scaffold.json.gz" };

/** The module of a thread, which is started by its name. */
const HEALTH_THREAD = { name: "@protean/health-thread", path: "lib/health/thread_worker.ts" };

/** Bundles the server into `folder`, which exists. `root` is the folder of our `deno.json`. */
export async function bundle(root: string, folder: string): Promise<Bundle> {
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const exported = Object.entries(manifest.exports).filter(([name]) => !SOURCE_ONLY.includes(name));
  const paths = exported.filter(([name]) => name !== APART).map(([, path]) => path.replace(/^\.\//, ""));
  const entries = [...paths, HEALTH_THREAD.path];
  // Names of classes and functions stay as they are: dead letters say which error it was.
  const how = ["bundle", "--quiet", "--platform=deno", "--keep-names"];
  const given = [BUILD_INFO, SCAFFOLD.name].map((name) => `--external=${name}`);
  const several = ["--code-splitting", ...given, `--outdir=${folder}`];
  await run(Deno.execPath(), [...how, ...several, "main.ts", ...entries], { cwd: root });
  const apart = manifest.exports[APART] ?? "";
  await run(Deno.execPath(), [...how, `--output=${join(folder, built(apart))}`, apart], { cwd: root });
  const config = {
    // Packages come out of the bundle, or for a domain on disk from the node_modules beside it.
    nodeModulesDir: "manual",
    unstable: ["raw-imports", "net"],
    imports: {
      [BUILD_INFO]: "./build.js",
      [SCAFFOLD.name]: "./scaffold.js",
      [HEALTH_THREAD.name]: `./${built(HEALTH_THREAD.path)}`,
      ...Object.fromEntries(
        exported.map(([name, path]) => [manifest.name + name.slice(1), built(path)]),
      ),
    },
    compile: { permissions: manifest.compile.permissions },
  };
  await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(config, null, 2));
  await Deno.writeTextFile(
    join(folder, "build.js"),
    `export const COMMIT = ${JSON.stringify(await commit(root))};\n`,
  );
  await Deno.writeTextFile(
    join(folder, "scaffold.js"),
    `export const scaffold = async () => {
  const { readable } = await Deno.open(new URL("./${SCAFFOLD.file}", import.meta.url));
  return await new Response(readable.pipeThrough(new DecompressionStream("gzip"))).json();
};
`,
  );
  await Deno.writeFile(join(folder, SCAFFOLD.file), await packed(await scaffold()));
  const others = [...entries, apart].map(built);
  return { main: "main.js", others: [...others, "scaffold.js", SCAFFOLD.file], config: "deno.json" };
}

/** JSON, compressed. */
function packed(value: unknown): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([JSON.stringify(value)]).stream().pipeThrough(new CompressionStream("gzip"));
}

/** `./lib/mod.ts` → `./lib/mod.js` */
function built(path: string): string {
  return path.replace(/\.ts$/, ".js");
}
