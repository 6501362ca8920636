/**
 * Tables for people: aligned columns without a frame, so that they are also easy to cut and grep.
 *
 * @module
 */
import { printable } from "../config/visible.ts";
import type { Cli } from "./cli.ts";

/** Renders rows below their titles; every line ended. Cells are made printable. */
export async function table(
  cli: Cli,
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<string> {
  // Few commands print one, and a server should not wait for it to be loaded.
  const { default: Table } = await import("cli-table3");
  const rendered = new Table({
    head: titles.map((title) => cli.colors.bold(title)),
    chars: {
      "top": "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      "bottom": "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      "left": "",
      "left-mid": "",
      "mid": "",
      "mid-mid": "",
      "right": "",
      "right-mid": "",
      "middle": "  ",
    },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) rendered.push(row.map(printable));
  return rendered.toString().split("\n").map((line) => line.trimEnd() + "\n").join("");
}

/** Cuts a text that is longer than `width` characters. */
export function clipped(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
