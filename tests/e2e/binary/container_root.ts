/**
 * The file system of the image, assembled without network: what the Containerfile copies, and of its base
 * image what the executable needs.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { binary } from "./binary.ts";
import { type Containerfile, type Copy, projectFolder } from "./container_file.ts";

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** Fills the empty folder `root`. */
export async function assembleRoot(root: string, image: Containerfile): Promise<void> {
  await base(root, image.user);
  await Deno.mkdir(join(root, image.folder), { recursive: true });
  for (const copy of image.copies) {
    const target = join(root, copy.target);
    await Deno.mkdir(dirname(target), { recursive: true });
    await place(copy, target, image.building);
    if (copy.owner !== undefined) await give(target, copy.owner);
  }
}

/** Hands a file or folder to `uid:gid`. */
export async function give(path: string, owner: string): Promise<void> {
  const [uid, gid] = owner.split(":").map(Number);
  await Deno.chown(path, uid ?? null, gid ?? null);
}

/**
 * What distroless brings, and its engine: libraries with their loader, certificates, names of users, `/proc`.
 */
async function base(root: string, user: string): Promise<void> {
  const put = async (path: string) => {
    await Deno.mkdir(join(root, dirname(path)), { recursive: true });
    await Deno.copyFile(path, join(root, path));
  };
  for (const library of await libraries(binary())) await put(library);
  await put(CERTIFICATES);
  await Deno.mkdir(join(root, "proc"));
  const lines = [
    "root:x:0:0:root:/root:/sbin/nologin",
    `nonroot:x:${user}:nonroot:/home/nonroot:/sbin/nologin`,
  ];
  await Deno.writeTextFile(join(root, "etc/passwd"), lines.map((line) => `${line}\n`).join(""));
}

/** Paths of the libraries that an executable is linked with, the loader among them. */
async function libraries(executable: string): Promise<string[]> {
  const { success, stdout } = await new Deno.Command("ldd", { args: [executable] }).output();
  const found = [...new TextDecoder().decode(stdout).matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  if (!success || found.length === 0) throw new Error(`ldd names no libraries of '${executable}'.`);
  return found;
}

async function place({ stage, source }: Copy, target: string, building: readonly string[]): Promise<void> {
  if (stage === undefined) return await Deno.copyFile(join(projectFolder, source), target);
  const made = building.find((command) => command.endsWith(source)) ?? "";
  if (made.startsWith("deno task compile ")) return await Deno.copyFile(binary(), target);
  if (made.startsWith("install --directory ")) return await Deno.mkdir(target);
  throw new Error(`The build stage of the Containerfile has no command that makes '${source}'.`);
}
