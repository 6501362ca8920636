/**
 * With which version a setting came. What a release has is recorded in `tools/since.json` when it is made:
 * `deno task docs` writes it once `CHANGELOG.md` has a section for the version in `deno.json`.
 *
 * @module
 */
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import recorded from "./since.json" with { type: "json" };
import { root } from "./root.ts";

/** What is known of versions. */
export interface History {
  /** `version` of `deno.json`. */
  readonly version: string;
  /** Text of `CHANGELOG.md`. */
  readonly changelog: string;
  /** Key → the version that brought it. */
  readonly recorded: Readonly<Record<string, string>>;
}

/** That of this working copy. */
export function history(): History {
  const changelog = Deno.readTextFileSync(join(root, "CHANGELOG.md"));
  return { version: manifest.version, changelog, recorded };
}

/**
 * The version that brought `key`. What no release has recorded comes with the version that is being made:
 * that of `deno.json`, or the next one where that is out already.
 */
export function since(key: string, { version, changelog, recorded }: History): string {
  return recorded[key] ?? (isOut(version, changelog) && hasNews(changelog) ? "the next" : version);
}

/** What `since.json` is to hold: all of `keys` once their version is out. */
export function recordOf(keys: readonly string[], past: History): Readonly<Record<string, string>> {
  const { version, changelog, recorded } = past;
  if (!isOut(version, changelog) || hasNews(changelog)) return recorded;
  return Object.fromEntries([...keys].sort().map((key) => [key, since(key, past)]));
}

function isOut(version: string, changelog: string): boolean {
  return changelog.includes(`\n## [${version}]`);
}

/** Whether something waits for a release. */
function hasNews(changelog: string): boolean {
  const [, unreleased = ""] = changelog.split(/^## .*$/m);
  return /^- /m.test(unreleased);
}
