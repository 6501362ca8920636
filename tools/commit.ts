/**
 * Which commit a build is made from.
 *
 * @module
 */
import { ask } from "./process.ts";

/**
 * The commit that is checked out in `root`, with `-dirty` when files differ from it; where there is no
 * repository, as in the build of an image, `SOURCE_COMMIT`; else null.
 */
export async function commit(root: string): Promise<string | null> {
  const named = Deno.env.get("SOURCE_COMMIT");
  if (named) return named;
  const head = await ask("git", ["-C", root, "rev-parse", "HEAD"]);
  if (!head) return null;
  const changes = await ask("git", ["-C", root, "status", "--porcelain", "--untracked-files=no"]);
  return changes ? `${head}-dirty` : head;
}
