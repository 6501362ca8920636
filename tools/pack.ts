/**
 * `deno task pack`: the library for teams that reach no registry which has it, as `dist/protean-server-<version>.tgz`
 * (docs/guides/releasing.md). The same sources make the same bytes.
 *
 * @module
 */
import { join } from "node:path";
import { createTar } from "nanotar";
import manifest from "../deno.json" with { type: "json" };
import { libraryFiles } from "./library_files.ts";
import { say } from "./process.ts";
import { root } from "./root.ts";

/** The folder that everything is in, when it is unpacked. */
const FOLDER = "protean-server";

/** Of every file, milliseconds since 1970: as npm has it, for what is older than 1980 is no time to some. */
const MODIFIED = 499_162_500_000;

/** Two empty blocks are an archive's end. Of nanotar's there may be one or none, of which `tar` warns. */
const END = new Uint8Array(2 * 512);

/** Longest name that every program which unpacks understands. */
const MAX_NAME = 100;

/** Name of the file. */
export const TARBALL = `protean-server-${manifest.version}.tgz`;

/** Returns the bytes of the file. Throws where a name is too long for it. */
export async function pack(): Promise<Uint8Array> {
  const { files } = await libraryFiles();
  const whole = { ...files, "README.md": await Deno.readTextFile(join(root, "README.md")) };
  const entries = Object.entries(whole).map(([path, data]) => ({ name: `${FOLDER}/${path}`, data }))
    .sort((a, b) => a.name < b.name ? -1 : 1);
  const long = entries.find(({ name }) => name.length >= MAX_NAME);
  if (long) throw new Error(`${long.name} is too long a name for a tarball: shorten it.`);
  const attrs = { mode: "644", uid: 0, gid: 0, user: "", group: "", mtime: MODIFIED };
  const archive = new Blob([createTar(entries, { attrs }) as Uint8Array<ArrayBuffer>, END]);
  const packed = archive.stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(packed).bytes();
}

if (import.meta.main) {
  await Deno.mkdir(join(root, "dist"), { recursive: true });
  await Deno.writeFile(join(root, "dist", TARBALL), await pack());
  say(`dist/${TARBALL}`);
}
