/**
 * The metrics of several workers on one page. All samples of a metric stand together, under one type
 * (text format 0.0.4); their labels tell them apart.
 *
 * @module
 */

interface Family {
  /** `# HELP` and `# TYPE`, as the first text that has it says them. */
  readonly head: string[];
  readonly samples: string[];
}

const COMMENT = /^# (?:HELP|TYPE) (\S+)/;

/** Texts of `prometheusText`, as one. */
export function mergedText(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    let family: Family | undefined;
    let isFirst = false;
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const name = COMMENT.exec(line)?.[1];
      if (name === undefined) {
        family?.samples.push(line);
        continue;
      }
      const known = families.get(name);
      if (known !== family || !known) {
        isFirst = known === undefined;
        family = known ?? { head: [], samples: [] };
        if (isFirst) families.set(name, family);
      }
      if (isFirst) family?.head.push(line);
    }
  }
  const lines = [...families.values()].flatMap(({ head, samples }) => [...head, ...samples]);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
