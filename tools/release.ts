/**
 * `deno task release`: the executables of a release in `dist/`, one for each target, the library for teams, and
 * their checksums (docs/guides/releasing.md).
 *
 * The runtimes of other machines are fetched by `deno compile`. A target whose runtime cannot be had is left
 * out and named, and the exit code is 1: whoever releases decides.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import { compile, withBundle } from "./compile.ts";
import { pack, TARBALL } from "./pack.ts";
import { say } from "./process.ts";
import { root } from "./root.ts";

/** Every target that `deno compile` knows. */
const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

const dist = join(root, "dist");
await Deno.remove(dist, { recursive: true }).catch((error) => {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
});
await Deno.mkdir(dist);

const sums: string[] = [];
const missing: string[] = [];
await withBundle(async (folder, bundle) => {
  for (const target of TARGETS) {
    const name = `protean-server-${manifest.version}-${target}${target.includes("windows") ? ".exe" : ""}`;
    const output = join(dist, name);
    try {
      await compile(folder, bundle, { output, target });
    } catch {
      // The compiler has said why.
      missing.push(target);
      continue;
    }
    sums.push(`${await digest(output)}  ${name}\n`);
    say(`dist/${name}`);
  }
});
await Deno.writeFile(join(dist, TARBALL), await pack());
sums.push(`${await digest(join(dist, TARBALL))}  ${TARBALL}\n`);
say(`dist/${TARBALL}`);
await Deno.writeTextFile(join(dist, "SHA256SUMS"), sums.join(""));
if (missing.length > 0) {
  say(`Not compiled: ${missing.join(", ")}. See above for the reason.`);
  Deno.exit(1);
}

/** SHA-256 of a file in hexadecimal digits. */
async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await Deno.open(path);
  for await (const piece of file.readable) hash.update(piece);
  return hash.digest("hex");
}
