/**
 * `deno task compile`: one executable, `./protean-server` unless `--output` says otherwise.
 *
 * `DENO_COMPILE` names another Deno to compile with, `DENORT_BIN` the runtime to embed; both must be of one
 * version.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Bundle, bundle } from "./bundle.ts";
import { run, say } from "./process.ts";
import { root } from "./root.ts";

/** What to compile. */
export interface CompileOptions {
  /** Path of the executable. */
  readonly output: string;
  /** As `deno compile --target` has it. @default this machine */
  readonly target?: string;
}

/** Writes an executable of the bundle in `folder`. Throws when the compiler fails. */
export async function compile(
  folder: string,
  { main, others, config }: Bundle,
  { output, target }: CompileOptions,
): Promise<void> {
  const deno = Deno.env.get("DENO_COMPILE") || Deno.execPath();
  const foreign = target !== undefined && target !== Deno.build.target;
  await run(deno, [
    "compile",
    "--quiet",
    `--config=${config}`,
    // The permissions of deno.json and no others; what they do not allow fails, without a question on the
    // terminal.
    "--permission-set",
    "--no-prompt",
    "--no-lock",
    "--no-check",
    // It gains nothing, and its file in the temporary folder has a name that others can foresee.
    "--no-code-cache",
    // A young generation of full size from the start: reading the modules fills a small one four times over.
    // The old one is collected before it has grown to several times of what is alive in it (PERF-5).
    "--v8-flags=--min-semi-space-size=16,--heap-growing-percent=60",
    ...others.map((path) => `--include=${path}`),
    ...(target === undefined ? [] : [`--target=${target}`]),
    `--output=${resolve(output)}`,
    main,
  ], {
    cwd: folder,
    // A runtime at hand is this machine's.
    env: { DENO_NO_UPDATE_CHECK: "1", ...(foreign && { DENORT_BIN: undefined }) },
  });
}

/** Bundles the server once and hands it to `work`, in a folder that is gone afterwards. */
export async function withBundle(work: (folder: string, bundle: Bundle) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "protean-compile-" });
  try {
    await work(folder, await bundle(root, folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const { values: { output, target } } = parseArgs({
    args: Deno.args,
    options: {
      output: { type: "string", default: join(root, "protean-server") },
      target: { type: "string" },
    },
  });
  try {
    await withBundle((folder, bundle) =>
      compile(folder, bundle, { output, ...(target !== undefined && { target }) })
    );
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
