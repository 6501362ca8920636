/**
 * What a new domain may be called. The library takes any name with letters or digits; here it also becomes a
 * folder, an executable and objects in Kubernetes, so less is allowed.
 *
 * @module
 */
import { normalizedDomain } from "../../message/names.ts";
import { UsageError } from "../usage_error.ts";

/** One name, as the domain, its streams and tables have it, and as its executable and Kubernetes do. */
export interface DomainNames {
  /** `my_shop` */
  readonly snake: string;
  /** `my-shop` */
  readonly kebab: string;
}

/** What the scaffold is called. */
export const SCAFFOLD_NAMES: DomainNames = { snake: "new_domain", kebab: "new-domain" };

/** PostgreSQL cuts names off at 63 bytes, and `protean_<name>_view_order_summary` is one. */
const LONGEST = 63 - "protean__view_order_summary".length;
/** Folders of a domain, where its executable would go. */
const FOLDERS = ["build", "deploy", "vendor"];
const FORM = /^[a-z][a-z0-9]*([-_][a-z0-9]+)*$/;

/**
 * Returns the forms of a name. Throws `UsageError` for one that is none, with the nearest that is.
 *
 * @param taken Names of the domains inside the executable: `--domain` would find those.
 */
export function domainNames(name: string, taken: readonly string[] = []): DomainNames {
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  if (/[/\\]/.test(name) || name === "." || name === "..") {
    throw new UsageError(
      `'${shown}' is a path and no name: give the domain's name, and say where by --folder.`,
    );
  }
  const snake = normalizedDomain(name);
  if (!FORM.test(name)) {
    const meant = snake.replaceAll(/_+/g, "_").replace(/^[_0-9]+|_+$/g, "").slice(0, LONGEST);
    throw new UsageError(
      `A new domain cannot be called '${shown}': its name has small letters, digits, and single - or _ between them, and begins with a letter.${
        FORM.test(meant) ? ` Did you mean '${meant}'?` : ""
      }`,
    );
  }
  if (name.length > LONGEST) {
    throw new UsageError(
      `A new domain cannot be called '${shown}': it may have at most ${LONGEST} characters, because PostgreSQL cuts longer names of tables off.`,
    );
  }
  if (FOLDERS.includes(name)) {
    throw new UsageError(
      `A new domain cannot be called '${name}': that is a folder in it, and its executable needs the name.`,
    );
  }
  if (name === "node_modules") {
    throw new UsageError(
      `A new domain cannot be called '${name}': what is in a folder of that name is taken for packages, and its library would not be found.`,
    );
  }
  const other = taken.find((domain) => normalizedDomain(domain) === snake);
  if (other !== undefined) {
    throw new UsageError(
      `A new domain cannot be called '${shown}': --domain=${other} is the one inside this executable.`,
    );
  }
  return { snake, kebab: snake.replaceAll("_", "-") };
}
