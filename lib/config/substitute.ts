/**
 * `${VAR}` and `${VAR|default}` in the texts of a configuration (wire 7.2).
 *
 * @module
 */
import { dotted, isTable, type Path, type Table } from "./tree.ts";

/** Reads an environment variable. */
export type Variables = (name: string) => string | undefined;

/** Why a text could not be substituted. */
export interface SubstitutionFailure {
  readonly path: Path;
  readonly reason: "unset" | "cyclic" | "unnamed";
  /** The variable at fault. */
  readonly name: string;
}

/** A substituted tree. */
export interface Substituted {
  readonly tree: Table;
  /** Variables that each text was made of, by dotted key. */
  readonly used: ReadonlyMap<string, readonly string[]>;
  readonly failures: readonly SubstitutionFailure[];
}

/**
 * References followed in one text: far beyond any real one, and an end to texts that double at every step.
 */
const MAX_REFERENCES = 1_000;

/**
 * Substitutes every text of a tree, in nested tables and lists too; keys stay as they are. A text that fails
 * is kept as written and reported. The result of a reference is always text. Without `variables` nothing is
 * substituted.
 */
export function substitute(tree: Table, variables?: Variables): Substituted {
  const used = new Map<string, readonly string[]>();
  const failures: SubstitutionFailure[] = [];

  if (!variables) return { tree, used, failures };

  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === "string") {
      const expansion = new Expansion(variables);
      const text = expansion.expand(value);
      if (expansion.used.size > 0) used.set(dotted(path), [...expansion.used]);
      failures.push(...expansion.failures.map((failure) => ({ ...failure, path })));
      return expansion.failures.length === 0 ? text : value;
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (!isTable(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]));
  };

  return { tree: visit(tree, []) as Table, used, failures };
}

/** The work on one text. */
class Expansion {
  readonly used = new Set<string>();
  readonly failures: Omit<SubstitutionFailure, "path">[] = [];
  #references = 0;

  constructor(readonly variables: Variables) {}

  /** `following` are the variables whose values are being expanded around this text. */
  expand(text: string, following: readonly string[] = []): string {
    let expanded = "";
    let at = 0;
    while (true) {
      const start = text.indexOf("${", at);
      const end = start < 0 ? -1 : closingBrace(text, start + 2);
      if (end < 0) return expanded + text.slice(at);
      expanded += text.slice(at, start) + this.#resolve(text.slice(start + 2, end), following);
      at = end + 1;
    }
  }

  #resolve(reference: string, following: readonly string[]): string {
    const bar = reference.indexOf("|");
    const name = bar < 0 ? reference : reference.slice(0, bar);
    if (name === "") return this.#fail("unnamed", name);
    if (following.includes(name) || ++this.#references > MAX_REFERENCES) return this.#fail("cyclic", name);
    const value = this.variables(name);
    if (value !== undefined) {
      this.used.add(name);
      return this.expand(value, [...following, name]);
    }
    return bar < 0 ? this.#fail("unset", name) : this.expand(reference.slice(bar + 1), following);
  }

  #fail(reason: SubstitutionFailure["reason"], name: string): string {
    if (!this.failures.some((failure) => failure.name === name)) this.failures.push({ reason, name });
    return "";
  }
}

/**
 * Position of the brace that closes a reference begun before `from`; defaults may hold references; -1 when it
 * never closes.
 */
function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith("${", at)) {
      depth++;
      at++;
    } else if (text[at] === "}" && --depth === 0) {
      return at;
    }
  }
  return -1;
}
