/**
 * The library as a package that Deno links, which then need be in no registry: its sources, stand-ins for the
 * packages of JSR, and a `deno.json` that names what it imports and nothing else.
 *
 * @module
 */
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import tomlManifest from "../links/std_toml/deno.json" with { type: "json" };
import type { Files } from "../lib/cli/new/scaffold.ts";
import { root } from "./root.ts";

/** Returns the package and what it imports from npm. */
export async function libraryFiles(): Promise<
  { readonly files: Files; readonly imports: readonly string[] }
> {
  const sources = {
    ...await texts(join(root, "lib"), undefined, "lib/"),
    ...await texts(join(root, "links"), (path) => path.endsWith(".ts"), "links/"),
  };
  const imported = new Set(
    Object.values(sources).flatMap((text) =>
      [...text.matchAll(/(?:from|import|resolve)\s*\(?\s*"([^".]+)"/g)].map(([, name = ""]) => name)
    ),
  );
  const imports = {
    ...manifest.imports,
    ...tomlManifest.imports,
    "@std/toml": "./links/std_toml/mod.ts",
    "@std/assert": "./links/std_assert/mod.ts",
  };
  const { name, version, license, exports, unstable } = manifest;
  const used = Object.entries(imports).filter(([name]) => imported.has(name));
  const settings = { name, version, license, exports, unstable, imports: Object.fromEntries(used) };
  const files = {
    ...sources,
    "deno.json": `${JSON.stringify(settings, null, 2)}\n`,
    LICENSE: await Deno.readTextFile(join(root, "LICENSE")),
  };
  return { files, imports: used.map(([, to]) => to).filter((to) => to.startsWith("npm:")) };
}

/** The files of a folder and those below, by `prefix` and their path in it, in order. */
export async function texts(
  folder: string,
  wanted: (path: string) => boolean = () => true,
  prefix = "",
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const entries = await Array.fromAsync(Deno.readDir(folder));
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(folder, name);
    if (isDirectory) Object.assign(found, await texts(path, wanted, `${prefix}${name}/`));
    else if (wanted(prefix + name)) found[prefix + name] = await Deno.readTextFile(path);
  }
  return found;
}
