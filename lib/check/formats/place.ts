/**
 * Where a finding is, as code hosts want it: relative to the workspace.
 *
 * @module
 */
import { relative, resolve } from "node:path";

/** Folders that paths are relative to. */
export interface Workspace {
  /** What `file` of a finding is relative to. */
  readonly cwd: string;
  /** The checkout: `GITHUB_WORKSPACE`, else `cwd`. */
  readonly root: string;
}

/** What a finding may be about that a workspace has no file of. */
const NO_FILES: readonly string[] = ["stdin", "the embedded domain.toml"];

/** The file of a finding, where it is one. */
export function fileOf(file: string | undefined): string | undefined {
  return file === undefined || NO_FILES.includes(file) ? undefined : file;
}

/** The path below the workspace with slashes; as it is where it is elsewhere or no path at all. */
export function inWorkspace(file: string, { cwd, root }: Workspace): string {
  const path = relative(root, resolve(cwd, file)).replaceAll("\\", "/");
  return path.startsWith("../") || path === "" ? resolve(cwd, file).replaceAll("\\", "/") : path;
}
