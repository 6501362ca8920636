/**
 * The differences between a compiled executable and `deno run`, in one place (`Deno.build.standalone`).
 *
 * @module
 */
import { dirname } from "node:path";

/** True in a compiled executable. */
export const standalone: boolean = Deno.build.standalone;

/** The folder of the executable; undefined when Deno itself runs the sources. */
export function executableFolder(): string | undefined {
  return standalone ? dirname(Deno.execPath()) : undefined;
}

/** The program that is running and the arguments before its own, to start it once more. */
export function selfCommand(): readonly [string, ...string[]] {
  return standalone ? [Deno.execPath()] : [Deno.execPath(), "run", "--allow-all", "--quiet", Deno.mainModule];
}

/** The first runtime that transpiles TypeScript which was not compiled in. */
const TRANSPILES_SINCE = [2, 9] as const;

/**
 * Whether a `.ts` module can be loaded from disk: always under `deno run`, compiled with Deno 2.9 or later
 * (design 5).
 */
export function loadsTypeScript(
  compiled: boolean = standalone,
  runtime: string = Deno.version.deno,
): boolean {
  const [major = 0, minor = 0] = runtime.split(".").map(Number);
  return !compiled || major > TRANSPILES_SINCE[0] ||
    (major === TRANSPILES_SINCE[0] && minor >= TRANSPILES_SINCE[1]);
}
