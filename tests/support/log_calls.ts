/**
 * What a module tells the log, found in its text.
 *
 * @module
 */

/** One `log.<level>("name", { … })`. */
export interface LogCall {
  /** As the log prints it; undefined where it is computed. */
  readonly level: string | undefined;
  /** `"name"`, a template with its `${…}`, or whatever stands there instead. */
  readonly name: string;
  readonly isPlain: boolean;
  /** The names that stand in the call itself. */
  readonly properties: readonly string[];
  /** False where there may be more of them: a variable, or the spread of one. */
  readonly isWhole: boolean;
}

const LEVELS: Readonly<Record<string, string>> = { trace: "debug", warn: "warning", fatal: "critical" };
const CALL = /\blog(?:\.(trace|debug|info|warn|error|fatal)\(|\[[^;]*?\]\((?=\w))\s*/g;

/** The logger that the module calls `log`; undefined: it has none. */
export function loggerOf(text: string): string | undefined {
  const category = /^const log = getLogger\(([^)]*)\)/m.exec(text)?.[1];
  return category?.match(/\w+/g)?.join(".");
}

/** Every call in the text of a module that has a logger. */
export function logCalls(text: string): LogCall[] {
  return [...text.matchAll(CALL)].map((match) => {
    const [name = "", properties] = split(inside(text, match.index + match[0].trimEnd().length - 1));
    const isPlain = /^"[^"]*"$/.test(name);
    const level = match[1] === undefined ? undefined : LEVELS[match[1]] ?? match[1];
    const found = keys(properties ?? "{}", text.slice(0, match.index));
    return { level, name: isPlain ? name.slice(1, -1) : name, isPlain, ...found };
  });
}

type Keys = Pick<LogCall, "properties" | "isWhole">;

const UNKNOWN: Keys = { properties: [], isWhole: false };

/** The keys of an object as it is written; of a variable as it was written last in the text `before`. */
function keys(text: string, before: string): Keys {
  if (/^\w+$/.test(text)) {
    const at = before.lastIndexOf(`const ${text} = {`);
    return at < 0 ? UNKNOWN : keys(before.slice(before.indexOf("{", at)), before.slice(0, at));
  }
  if (!text.startsWith("{")) return UNKNOWN;
  const parts = split(inside(text, 0)).map((part): Keys => {
    if (!part.startsWith("...")) return { properties: [/^\w+/.exec(part)?.[0] ?? part], isWhole: true };
    // `...(condition && { key })`
    const [, object] = /^\.\.\.\([^{]*&& (\{[^]*\})\)$/.exec(part) ?? [];
    return keys(object ?? part.slice(3), before);
  });
  return {
    properties: parts.flatMap(({ properties }) => properties),
    isWhole: parts.every(({ isWhole }) => isWhole),
  };
}

/** What stands between the bracket at `open` and the one that closes it. */
function inside(text: string, open: number): string {
  return text.slice(open + 1, pieces(text, open + 1).end);
}

/** The parts of a list, between its outermost commas. */
function split(list: string): string[] {
  const { commas, end } = pieces(list, 0);
  return [-1, ...commas].map((comma, at) => list.slice(comma + 1, commas[at] ?? end).trim())
    .filter((part) => part !== "");
}

function pieces(text: string, from: number): { readonly commas: readonly number[]; readonly end: number } {
  const commas: number[] = [];
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === '"' || letter === "'" || letter === "`") {
      at = endOfText(text, at, letter);
    } else if ("([{".includes(letter)) depth++;
    else if (")]}".includes(letter)) {
      if (depth === 0) return { commas, end: at };
      depth--;
    } else if (letter === "," && depth === 0) commas.push(at);
  }
  return { commas, end: text.length };
}

function endOfText(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text.charAt(at) === "\\") at++;
    else if (text.charAt(at) === quote) return at;
  }
  return text.length;
}
