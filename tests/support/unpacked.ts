/**
 * What a tarball holds, on the disk.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { parseTarGzip } from "nanotar";

/** Writes every file of the tarball below `folder`; returns their names. */
export async function unpack(tarball: Uint8Array, folder: string): Promise<readonly string[]> {
  const files = await parseTarGzip(tarball as Uint8Array<ArrayBuffer>);
  for (const { name, data } of files) {
    const path = join(folder, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, data ?? new Uint8Array());
  }
  return files.map(({ name }) => name);
}
