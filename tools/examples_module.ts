/**
 * The examples in documentation comments of the library as one module, `tests/unit/documented/examples.ts`: the
 * type check then sees them with everything else, and a test runs each.
 *
 * What an example leaves open (`domain`, `Order`, `ctx`) is taken from the stage that the test sets, so it is a
 * name of `tests/unit/documented/stage.ts`; names of the library are imported.
 *
 * @module
 */
import { join } from "node:path";
import { type DocExample, docExamples } from "./doc_examples.ts";
import { texts } from "./library_files.ts";
import { root } from "./root.ts";

/** Where an example may take a name from that it does not import itself. */
const LIBRARY: Readonly<Record<string, readonly string[]>> = {
  "@protean/server": ["DeadLetter", "Engine", "on", "onBatch", "SubscriptionProfile"],
  "@protean/server/adapters": ["sleep"],
  "@protean/server/health": ["createHealthRouter"],
  "@protean/server/testing": ["FakeClock", "testDomain"],
  "@std/assert": ["assertEquals"],
  zod: ["z"],
};

/** What stands for a name in the examples of one file, where the stage has it under another. */
const CALLED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "lib/cli/mod.ts": { shop: "domain" },
  "lib/domain/operations.ts": { id: "operation" },
};

/** Made up in an example, and there on the stage. */
const STANDS_FOR: ReadonlyMap<string, string> = new Map([['"3f2a9c01d4e5"', "fingerprint"]]);

/** The text of the module. */
export async function examplesModule(): Promise<string> {
  const stage = await Deno.readTextFile(join(root, "tests/unit/documented/stage.ts"));
  const members = stage.slice(stage.indexOf("export class Stage"));
  const names = [...members.matchAll(/^ {2}(?:get |readonly )?(\w+)(?:\(\)|!?:| =)/gm)].map(([, name = ""]) =>
    name
  );
  const sources = await texts(join(root, "lib"), undefined, "lib/");
  const written = Object.entries(sources).flatMap(([path, text]) => docExamples(path, text))
    .map((example) => moduleOf(example, names));
  const imports = Object.entries(LIBRARY).map(([from, known]) => {
    const used = known.filter((name) => written.some(({ open }) => open.has(name)));
    return used.length > 0 ? `import { ${used.join(", ")} } from "${from}";\n` : "";
  });
  const own = new Set(written.flatMap(({ imported }) => imported));
  return [
    "// deno-lint-ignore-file\n// deno-fmt-ignore-file\n",
    "// Made by `deno task docs` from the documentation comments of lib. Do not edit.\n",
    ...imports,
    ...[...own].map((line) => `${line}\n`),
    'import type { Stage } from "./stage.ts";\n\n',
    "export interface Example {\n  readonly where: string;\n  readonly uses: readonly string[];\n  readonly code: string;\n  run(stage: Stage): Promise<unknown>;\n}\n\n",
    "export const EXAMPLES: readonly Example[] = [\n",
    ...written.map(({ text }) => text),
    "];\n",
  ].join("");
}

interface Written {
  readonly text: string;
  /** Names that it uses and does not declare. */
  readonly open: ReadonlySet<string>;
  /** Its own imports of the library, so that they are checked. */
  readonly imported: readonly string[];
}

const IMPORT = /^import (?:type )?\{[^}]*\} from "[^"]+";\n/gm;

function moduleOf({ path, code }: DocExample, names: readonly string[]): Written {
  const statements = [...STANDS_FOR].reduce(
    (text, [literal, name]) => text.replaceAll(literal, name),
    code.replace(IMPORT, "").trim(),
  );
  const open = openNames(statements);
  const called = CALLED[path] ?? {};
  const taken = [...open].filter((name) => names.includes(called[name] ?? name)).sort();
  const bound = taken.map((name) => called[name] ? `${called[name]}: ${name}` : name).join(", ");
  const uses = taken.map((name) => called[name] ?? name);
  // A handling says what a handler does: the test makes a handler of it.
  const body = /^on(Batch)?\(/.test(statements) ? `return ${statements}` : `${statements}\nreturn undefined;`;
  const imported = [...code.matchAll(IMPORT)].map(([line]) => line.trim())
    .filter((line) => !/from "\./.test(line))
    .map((line, at) => importedAs(line, `${path.replace(/\W+/g, "_")}_${at}`));
  return {
    open: new Set([...open].filter((name) => !taken.includes(name))),
    imported,
    text: [
      `  {\n    where: ${JSON.stringify(path)},\n    uses: ${JSON.stringify(uses)},\n`,
      `    code: ${JSON.stringify(statements)},\n    run: async (stage) => {\n`,
      ...bound === "" ? [] : [`const { ${bound} } = stage;\n`],
      `{\n${body}\n}\n    },\n  },\n`,
    ].join(""),
  };
}

/** Under names of its own: the stage may have put something else in the place of one. */
function importedAs(line: string, prefix: string): string {
  return line.replace(/\{([^}]*)\}/, (_, list: string) => {
    const names = list.split(",").map((name) => name.trim()).filter((name) => name !== "");
    return `{ ${names.map((name) => `${name} as ${prefix}_${name.replace("type ", "")}`).join(", ")} }`;
  });
}

/** Words that stand for something declared elsewhere; of those that are no names there may be too many. */
function openNames(code: string): ReadonlySet<string> {
  // What is in a template's `${…}` is code.
  const bare = code.replace(/\/\/.*$/gm, "").replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
  const declared = new Set(
    [...bare.matchAll(/\b(?:const|let|using) (?:\{([^}]*)\}|\[([^\]]*)\]|(\w+))/g)].flatMap((match) =>
      match.slice(1).flatMap((list) => list?.match(/\w+/g) ?? [])
    ),
  );
  // A handler that the example itself writes has a context of its own.
  if (/\bctx\) =>/.test(bare)) declared.add("ctx");
  const words = [...bare.matchAll(/(?<![.\w])([A-Za-z_]\w*)(?!\s*:(?!:))/g)].map(([, name = ""]) => name);
  return new Set(words.filter((name) => !declared.has(name)));
}
