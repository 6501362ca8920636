/**
 * What tests read out of Markdown: links, headings, blocks of code.
 *
 * @module
 */

/** One block of code between fences. */
export interface Block {
  /** The heading that it stands below, without its `#`. */
  readonly heading: string;
  /** What stands behind the opening fence: the language, then anything. */
  readonly info: string;
  readonly text: string;
  /** Where its first line of code is, from 1. */
  readonly line: number;
}

/** The blocks of a page, in order. A fence may be indented, as in a list. */
export function blocks(page: string): readonly Block[] {
  const found: Block[] = [];
  let heading = "";
  let open: { readonly fence: string; readonly info: string; readonly line: number } | undefined;
  let lines: string[] = [];
  for (const [at, line] of page.split("\n").entries()) {
    const [, fence = "", info = ""] = /^\s*(`{3,})(.*)$/.exec(line) ?? [];
    if (open) {
      if (fence === open.fence && info === "") {
        found.push({ heading, info: open.info, text: `${lines.join("\n")}\n`, line: open.line });
        open = undefined;
      } else lines.push(line);
    } else if (fence !== "") {
      open = { fence, info: info.trim(), line: at + 2 };
      lines = [];
    } else heading = /^#{1,6} (.*)$/.exec(line)?.[1] ?? heading;
  }
  return found;
}

/** Targets of the links and images of a page that are no address of the web, in order. */
export function links(page: string): readonly string[] {
  const prose = withoutBlocks(page).replaceAll(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)]
    .flatMap(([, target = ""]) => /^[a-z]+:/.test(target) ? [] : [target]);
}

/** The anchors of a page's headings, as GitHub names them. */
export function anchors(page: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of withoutBlocks(page).matchAll(/^#{1,6} (.*)$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").trim().toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
    let name = anchor;
    for (let again = 1; found.has(name); again++) name = `${anchor}-${again}`;
    found.add(name);
  }
  return found;
}

function withoutBlocks(page: string): string {
  return page.replaceAll(/^\s*(`{3,}).*\n[\s\S]*?^\s*\1$/gm, "");
}
