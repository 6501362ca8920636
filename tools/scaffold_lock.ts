/**
 * The part of our `deno.lock` that the library needs: a new domain begins with the very packages that the library
 * was tested with.
 *
 * @module
 */
import { join } from "node:path";
import { root } from "./root.ts";

interface Lock {
  readonly version: string;
  /** `npm:zod@^4.6.7` → `4.6.7` */
  readonly specifiers: Readonly<Record<string, string>>;
  /** `zod@4.6.7` → what it is; a dependency is named without its version where there is one alone. */
  readonly npm: Readonly<Record<string, Locked>>;
}

interface Locked {
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
}

/**
 * Returns the text of a `deno.lock`.
 *
 * @param imports What the library imports, `npm:zod@^4.6.7`.
 * @param library The library itself, `@protean/server@0.1.0`.
 */
export async function scaffoldLock(imports: readonly string[], library: string): Promise<string> {
  const lock: Lock = JSON.parse(await Deno.readTextFile(join(root, "deno.lock")));
  const names = new Set(imports.map(packageOf));
  const specifiers = Object.entries(lock.specifiers).filter(([specifier]) => names.has(packageOf(specifier)));
  const needed = new Set<string>();
  const need = (id: string): void => {
    if (needed.has(id)) return;
    needed.add(id);
    const { dependencies = [], optionalDependencies = [] } = lock.npm[id] ?? {};
    for (const name of [...dependencies, ...optionalDependencies]) need(idOf(name, lock));
  };
  for (const [specifier, version] of specifiers) need(`${packageOf(specifier)}@${version}`);
  const npm = Object.entries(lock.npm).filter(([id]) => needed.has(id));
  const dependencies = specifiers.map(([specifier]) => specifier);
  return `${
    JSON.stringify(
      {
        version: lock.version,
        specifiers: Object.fromEntries(specifiers),
        npm: Object.fromEntries(npm),
        workspace: {
          dependencies: [`jsr:${library.replace(/\.\d+$/, "")}`],
          links: { [`jsr:${library}`]: { dependencies } },
        },
      },
      null,
      2,
    )
  }\n`;
}

/** `npm:@a/b@^1` → `@a/b` */
function packageOf(specifier: string): string {
  return /^(?:npm:\/?)?((?:@[^/]+\/)?[^/@]+)/.exec(specifier)?.[1] ?? specifier;
}

function idOf(name: string, { npm }: Lock): string {
  if (name in npm) return name;
  return Object.keys(npm).find((id) => id.startsWith(`${name}@`)) ?? name;
}
