/**
 * What `new` writes: the domain of `examples/new-domain` with the Kubernetes files of `deploy/`, and the library
 * itself, which then need be in no registry. From source both are read from the disk; a build puts them into a
 * file of the executable (`bundle.ts`).
 *
 * @module
 */
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import type { Files, Scaffold } from "../lib/cli/new/scaffold.ts";
import { libraryFiles, texts } from "./library_files.ts";
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
