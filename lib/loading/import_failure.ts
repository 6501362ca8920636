/**
 * Why a module on disk could not be imported, in words of a user: which file, which package, and what to do.
 * Runtimes tell the same thing differently (seen: Deno 2.5 and 2.9, compiled and not); what is not known here
 * is told in their words.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { nearest } from "../config/nearest.ts";
import { asError, isError } from "../errors.ts";
import { loadsTypeScript, standalone } from "../executable/standalone.ts";

/** What a module on disk may import of this library; `/zod` is left out, for who imports `zod` means the package. */
const LIBRARY = [
  "@protean/server",
  "@protean/server/adapters",
  "@protean/server/health",
  "@protean/server/testing",
  "@protean/server/cli",
];
const BUNDLE = "bundle the domain to one .js file (deno bundle)";
/** The two ways out where a runtime cannot load what it is given. */
const WAYS_OUT = `compile the domain into an executable of your own, or ${BUNDLE}`;

/** Where in a file, as `file:///a/b.js:1:2`. */
const PLACE = /\bat (?:async )?(?:[^\n(]* \()?(file:\/\/\S+?):(\d+):(\d+)\)?/;

/** What the runtime can do, for tests. */
export interface ImportingRuntime {
  readonly compiled: boolean;
  readonly typeScript: boolean;
}

/** True for a file that needs a runtime which transpiles. */
export function isTypeScript(file: string): boolean {
  return /\.[mc]?tsx?$/.test(file);
}

/** The rest of a sentence, without its full stop, about a `.ts` file where the runtime cannot load it. */
export function cannotLoadTypeScript(file?: string): string {
  return `${
    file === undefined ? "it" : `'${file}'`
  } is TypeScript, which this executable cannot load from disk: ${WAYS_OUT}`;
}

/**
 * The rest of a sentence, without its full stop and on one line.
 *
 * @param thrown What `import()` of `file` rejected with.
 */
export function whyNotImported(
  thrown: unknown,
  file: string,
  { compiled, typeScript }: ImportingRuntime = { compiled: standalone, typeScript: loadsTypeScript() },
): string {
  const { name, message } = asError(thrown);
  const [first = ""] = message.split("\n");
  const place = placeIn(message);

  const [, specifier, importer] =
    /^Import "(.+)" not a dependency and not in import map from "(.+)"/.exec(first) ??
      [];
  if (specifier && importer) return noPackage(specifier, pathOf(importer), compiled);
  const [, npm] = /^Could not find a matching package for '(npm:.+?)'/.exec(first) ?? [];
  if (npm) return noPackage(npm, undefined, compiled);
  const [, missing] = /^Module not found:? "?([^"\s]+?)"?\.?$/.exec(first) ?? [];
  if (missing) return noModule(missing, place, compiled);

  const [, stripped] = /^\[ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING\].*"(file:.+)"/.exec(first) ?? [];
  if (stripped) {
    return `the package file '${
      pathOf(stripped)
    }' is TypeScript, which cannot be loaded from node_modules: ${WAYS_OUT}`;
  }
  if (place && isTypeScript(place.file) && !typeScript) return cannotLoadTypeScript(place.file);
  if (/^(require|module|exports|__dirname|__filename) is not defined$/.test(first)) {
    const file = placeIn(stackOf(thrown))?.file;
    return `${
      file ? `'${file}'` : "it"
    } is CommonJS, which cannot be loaded from disk: use import and export, or ${BUNDLE}`;
  }
  const [, needed] = /^Requires (.+? access(?: to ".*?")?),/.exec(first) ?? [];
  if (name === "NotCapable" && needed) {
    const place = placeOfThrow(thrown, file);
    return `${
      place ? `'${place.file}' (line ${place.line})` : "it"
    } needs ${needed}, which this executable does not have: ${"compile the domain into one of your own that does"}`;
  }
  const [, system] = /^JsErrorBox \{.*message: "(.*?)"/.exec(first) ?? [];
  if (system) return `something that it imports cannot be read: ${system}`;

  const words = plain(first) || name;
  const where = place ?? placeOfThrow(thrown, file);
  const hint = compiled && /module '[^./].*' does not provide an export/.test(first)
    ? ", perhaps because that package is CommonJS, which cannot be loaded from disk"
    : "";
  return where ? `${words} (${where.file}:${where.line}:${where.column})${hint}` : words + hint;
}

function noPackage(specifier: string, importer: string | undefined, compiled: boolean): string {
  const who = importer === undefined ? "it or something that it imports needs" : `'${importer}' imports`;
  const [meant] = nearest(specifier, LIBRARY);
  if (meant) return `${who} '${specifier}', which does not exist; did you mean '${meant}'`;
  const name = /^(?:npm:\/?)?((?:@[^/]+\/)?[^/@]+)/.exec(specifier)?.[1] ?? specifier;
  return compiled
    ? `${who} the package '${name}', which is in no node_modules folder beside it or above: npm install ${name}, or ${BUNDLE}`
    : `${who} the package '${name}', which the deno.json of this server does not name: add it to its imports, or ${BUNDLE}`;
}

function noModule(url: string, from: Place | undefined, compiled: boolean): string {
  if (compiled && /^(https?|jsr):/.test(url)) {
    return `'${url}' is imported, and this executable loads no code from the network: ${BUNDLE}`;
  }
  const who = from
    ? `${from.file}:${from.line}:${from.column} imports`
    : "it or something that it imports needs";
  return `${who} '${pathOf(url)}', which does not exist`;
}

interface Place {
  readonly file: string;
  readonly line: string;
  readonly column: string;
}

/** Where the runtime says that it stumbled: at the end of its message. */
function placeIn(text: string): Place | undefined {
  const [, url, line, column] = PLACE.exec(text) ?? [];
  return url && line && column ? { file: pathOf(url), line, column } : undefined;
}

/**
 * The first line of the stack that belongs to the domain: a library throws on behalf of whoever called it.
 */
function placeOfThrow(thrown: unknown, file: string): Place | undefined {
  const folder = pathToFileURL(dirname(file)).href;
  const line = stackOf(thrown).split("\n").find((line) => line.includes(folder));
  return line === undefined ? undefined : placeIn(line);
}

/** The lines that say where; empty for what is no error. */
function stackOf(thrown: unknown): string {
  if (!isError(thrown)) return "";
  const { stack = "", message } = thrown;
  return stack.slice(stack.indexOf(message) + message.length);
}

/** Without the runtime's own marks, its places, and URLs where a path will do. */
function plain(text: string): string {
  return text
    .replace(/^(\[ERR_\w+\]:?|SyntaxError:|TypeError:) /, "")
    .replace(/ at file:\S+:\d+:\d+$/, "")
    .replace(/file:\/\/[^\s'"]+/g, pathOf)
    .replace(/\.$/, "");
}

/** The path of a `file:` URL; anything else as it is. */
function pathOf(url: string): string {
  try {
    return url.startsWith("file:") ? fileURLToPath(url) : url;
  } catch {
    return url;
  }
}
