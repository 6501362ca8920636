/**
 * The documents of a manifest, with the lines of what is in them.
 *
 * @module
 */
import { type Document, isCollection, LineCounter, parseAllDocuments, visit } from "yaml";
import { describeProblem } from "../../config/problems.ts";
import { isTable, type Path, type Table } from "../../config/tree.ts";
import { asError, ConfigurationError, type ConfigurationProblem } from "../../errors.ts";

/** One Kubernetes object. */
export interface ManifestObject {
  readonly tree: Table;
  readonly file: string;
  /** Line of a value, or of the nearest one around it. Counted from 1. */
  lineOf(path: Path): number | undefined;
}

/** So many uses of YAML's aliases; more is an attack. */
const MOST_ALIASES = 100;

/**
 * Every object in the text; the items of a List count each. Throws one `ConfigurationError` that lists
 * everything that is not YAML, and says how to render what is a template.
 */
export function manifestObjects(text: string, file: string): readonly ManifestObject[] {
  const lines = new LineCounter();
  let documents: readonly Document[];
  try {
    documents = [
      ...parseAllDocuments(text, { lineCounter: lines, logLevel: "silent", prettyErrors: false }),
    ] as readonly Document[];
  } catch (cause) {
    throw manifestError([malformed(file, asError(cause).message)], cause);
  }
  const problems = documents.flatMap((document) =>
    document.errors.map(({ message, pos }) => malformed(file, message, lines.linePos(pos[0]).line))
  );
  const templated = documents.map(collectionKey).find((offset) => offset !== undefined);
  if (templated !== undefined || problems.length > 0 && /\{\{|\{%/.test(text)) {
    const line = templated === undefined ? problems[0]?.line : lines.linePos(templated).line;
    throw manifestError([template(file, line)]);
  }
  if (problems.length > 0) throw manifestError(problems);
  try {
    return documents.flatMap((document) => objectsOf(document, lines, file));
  } catch (cause) {
    throw manifestError([malformed(file, asError(cause).message)], cause);
  }
}

/** What is said of a template: `{{ .Values.replicas }}` in place of a value. */
export function templateError(file: string, line: number | undefined): ConfigurationError {
  return manifestError([template(file, line)]);
}

function objectsOf(document: Document, lines: LineCounter, file: string): ManifestObject[] {
  const root: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
  if (!isTable(root)) return [];
  const lineAt = (base: Path) => (path: Path): number | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const node: unknown = document.getIn([...base, ...path.slice(0, length)], true);
      const range = (node as { readonly range?: readonly number[] | null } | undefined)?.range;
      if (range?.[0] !== undefined) return lines.linePos(range[0]).line;
    }
    return undefined;
  };
  const { items } = root;
  if (!Array.isArray(items)) return [{ tree: root, file, lineOf: lineAt([]) }];
  return items.flatMap((item: unknown, index) =>
    isTable(item) ? [{ tree: item, file, lineOf: lineAt(["items", index]) }] : []
  );
}

/** Where a mapping or a list is a key, as YAML reads `{{ … }}`; no object of Kubernetes has that. */
function collectionKey(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Pair(_, { key }) {
      if (!isCollection(key)) return undefined;
      found = key.range?.[0];
      return visit.BREAK;
    },
  });
  return found;
}

function malformed(file: string, reason: string, line?: number): ConfigurationProblem {
  const [first = ""] = reason.split("\n");
  return {
    code: "MANIFEST_MALFORMED",
    message: `Not valid YAML: ${first.replace(/[.:]$/, "")}.`,
    file,
    ...(line !== undefined && { line }),
  };
}

function template(file: string, line: number | undefined): ConfigurationProblem {
  return {
    code: "MANIFEST_TEMPLATE",
    message: "This is a template and no manifest yet: render it first, as in " +
      "'helm template . | protean-server check --manifest -'.",
    file,
    ...(line !== undefined && { line }),
  };
}

/** One error for all of them. */
export function manifestError(
  problems: readonly ConfigurationProblem[],
  cause?: unknown,
): ConfigurationError {
  const lines = problems.map(describeProblem);
  const message = lines.length === 1
    ? lines.join("")
    : `The manifest has ${lines.length} problems:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  return new ConfigurationError(message, { problems, ...(cause !== undefined && { cause }) });
}
