/**
 * What `new` writes: the domain of `examples/new-domain` with the Kubernetes files of `deploy/`, and the library
 * itself, which then need be in no registry. From source both are read from the disk; a build puts them into a
 * file of the executable (`bundle.ts`).
 *
 * @module
 */
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import tomlManifest from "../links/std_toml/deno.json" with { type: "json" };
import type { Files, Scaffold } from "../lib/cli/new/scaffold.ts";
import { root } from "./root.ts";
import { scaffoldLock } from "./scaffold_lock.ts";

/** What building and running leave in the example's folder; it is not part of it. */
const BUILT = /^(build|vendor|node_modules)\/|^(deno\.lock|new-domain)$|\.db(-|$)/;

/** Returns both, as they are now. Throws where a file cannot be read. */
export async function scaffold(): Promise<Scaffold> {
  const { files: library, imports } = await libraryFiles();
  const lock = await scaffoldLock(imports, `${manifest.name}@${manifest.version}`);
  return { domain: { ...await domainFiles(), "deno.lock": lock }, library };
}

async function domainFiles(): Promise<Files> {
  const { "deno.json": settings = "", ...files } = await texts(
    join(root, "examples/new-domain"),
    (path) => !BUILT.test(path),
  );
  const deploy = await texts(join(root, "deploy/kubernetes"));
  return {
    ...files,
    // The example's library is this checkout, a new domain's the copy beside it.
    "deno.json": settings.replace(/"links": \[.*\]/, '"links": ["./vendor/protean-server"]'),
    ...Object.fromEntries(
      Object.entries(deploy).map(([path, text]) => [
        `deploy/kubernetes/${path}`,
        text.replaceAll("my_domain", "new_domain").replaceAll("protean-server", "new-domain"),
      ]),
    ),
  };
}

/** A package that Deno links: sources, stand-ins of JSR's packages, and what it imports. */
async function libraryFiles(): Promise<{ readonly files: Files; readonly imports: readonly string[] }> {
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
async function texts(
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
