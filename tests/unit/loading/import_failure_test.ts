/** The texts are what runtimes were seen to say, each given with the runtime that said it. */
import { assertEquals } from "@std/assert";
import { cannotLoadTypeScript, whyNotImported } from "../../../lib/loading/import_failure.ts";

const COMPILED = { compiled: true, typeScript: false };
const SOURCE = { compiled: false, typeScript: true };
const BUNDLE = "bundle the domain to one .js file (deno bundle)";

function error(message: string, name = "TypeError", stack: readonly string[] = []): Error {
  const made = new Error(message);
  made.name = name;
  made.stack = [`${name}: ${message}`, ...stack.map((line) => `    at ${line}`)].join("\n");
  return made;
}

for (
  const [what, thrown, runtime, expected] of [
    [
      "a missing package",
      error('Import "leftpad" not a dependency and not in import map from "file:///shop%20a/domain.js"'),
      COMPILED,
      `'/shop a/domain.js' imports the package 'leftpad', which is in no node_modules folder beside it or above: npm install leftpad, or ${BUNDLE}`,
    ],
    [
      "a missing package from source",
      error(
        'Import "@a/b/c" not a dependency and not in import map from "file:///shop/domain.js"\n  hint: If you want',
      ),
      SOURCE,
      `'/shop/domain.js' imports the package '@a/b', which the deno.json of this server does not name: add it to its imports, or ${BUNDLE}`,
    ],
    [
      "a package by npm:",
      error(
        "Could not find a matching package for 'npm:zod@4/mini' in the node_modules directory. Ensure you",
      ),
      COMPILED,
      `it or something that it imports needs the package 'zod', which is in no node_modules folder beside it or above: npm install zod, or ${BUNDLE}`,
    ],
    [
      "a misspelt name of the library",
      error('Import "@protean/servr" not a dependency and not in import map from "file:///shop/domain.js"'),
      COMPILED,
      "'/shop/domain.js' imports '@protean/servr', which does not exist; did you mean '@protean/server'",
    ],
    [
      "a missing file",
      error("Module not found: file:///shop/a%23b.js"),
      COMPILED,
      "it or something that it imports needs '/shop/a#b.js', which does not exist",
    ],
    [
      "a missing file, where the runtime says who imports it",
      error('Module not found "file:///shop/nope.js".\n    at file:///shop/domain.js:2:8'),
      SOURCE,
      "/shop/domain.js:2:8 imports '/shop/nope.js', which does not exist",
    ],
    [
      "code from the network",
      error("Module not found: https://example.com/x.js"),
      COMPILED,
      `'https://example.com/x.js' is imported, and this executable loads no code from the network: ${BUNDLE}`,
    ],
    [
      "a syntax error",
      error("Unexpected token '=' at file:///shop/a.js:2:14", "SyntaxError"),
      COMPILED,
      "Unexpected token '=' (/shop/a.js:2:14)",
    ],
    [
      "a syntax error as the transpiler tells it",
      error("SyntaxError: Unexpected token `=`.\n  |\n1 | const = ;\n    at file:///shop/a.js:1:7"),
      SOURCE,
      "Unexpected token `=` (/shop/a.js:1:7)",
    ],
    [
      "TypeScript behind a relative import",
      error("Missing initializer in const declaration at file:///shop/a.ts:1:14", "SyntaxError"),
      COMPILED,
      cannotLoadTypeScript("/shop/a.ts"),
    ],
    [
      "TypeScript in a package",
      error(
        '[ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING]: Stripping types is currently unsupported for files under node_modules, for "file:///shop/node_modules/a/i.ts"',
      ),
      COMPILED,
      `the package file '/shop/node_modules/a/i.ts' is TypeScript, which cannot be loaded from node_modules: compile the domain into an executable of your own, or ${BUNDLE}`,
    ],
    [
      "CommonJS",
      error("require is not defined", "ReferenceError", ["file:///node_modules/a/i.js:1:11"]),
      COMPILED,
      `'/node_modules/a/i.js' is CommonJS, which cannot be loaded from disk: use import and export, or ${BUNDLE}`,
    ],
    [
      "an export of a CommonJS package",
      error(
        "The requested module 'a' does not provide an export named 'b' at file:///shop/domain.js:1:9",
        "SyntaxError",
      ),
      COMPILED,
      "The requested module 'a' does not provide an export named 'b' (/shop/domain.js:1:9), perhaps because that package is CommonJS, which cannot be loaded from disk",
    ],
    [
      "an export of a file",
      error(
        "The requested module './a.js' does not provide an export named 'b' at file:///shop/domain.js:1:9",
        "SyntaxError",
      ),
      COMPILED,
      "The requested module './a.js' does not provide an export named 'b' (/shop/domain.js:1:9)",
    ],
    [
      "a permission that was not compiled in",
      error('Requires run access to "ls", specify the required permissions during', "NotCapable", [
        "spawn (ext:deno_process/40_process.js:185:17)",
        "file:///shop/domain.js:3:24",
      ]),
      COMPILED,
      "'/shop/domain.js' (line 3) needs run access to \"ls\", which this executable does not have: compile the domain into one of your own that does",
    ],
    [
      "what the module throws, with the domain's line of the stack",
      error("no licence\nsecond line", "Error", [
        "check (file:///library/a.js:9:9)",
        "f (file:///shop/lib/a.js:1:22)",
        "file:///shop/domain.js:2:1",
      ]),
      COMPILED,
      "no licence (/shop/lib/a.js:1:22)",
    ],
    ["an error without a message", error("", "RangeError", []), COMPILED, "RangeError"],
    ["what is no error", "bad.", COMPILED, "bad"],
    ["nothing at all", undefined, COMPILED, "undefined"],
    [
      "what a runtime says in other words",
      error("[ERR_SOMETHING] Strange things in 'file:///shop/a%20b.js'."),
      COMPILED,
      "Strange things in '/shop/a b.js'",
    ],
    [
      "a file that cannot be read",
      error('JsErrorBox { inner: Os { code: 21, kind: IsADirectory, message: "Is a directory" } }'),
      COMPILED,
      "something that it imports cannot be read: Is a directory",
    ],
  ] as const
) {
  Deno.test(`why a module was not imported: ${what}`, () => {
    assertEquals(whyNotImported(thrown, "/shop/domain.js", runtime), expected);
  });
}
