/**
 * Alerts as Slack and what is compatible with it take them: many in one message.
 *
 * @module
 */
import { printable } from "../config/visible.ts";
import type { Alert } from "../domain/alert.ts";

/** Alerts that one message names, and characters of each. */
const MOST_LINES = 20;
const LONGEST_LINE = 400;

/** A line for each alert, those that fire first; of many the rest is counted. */
export function slackText(alerts: readonly Alert[]): string {
  const firing = alerts.filter(({ state }) => state === "firing");
  const ordered = [...firing, ...alerts.filter(({ state }) => state === "resolved")];
  const lines = ordered.slice(0, MOST_LINES).map(({ rule, text, state }) => {
    const sign = state === "firing" ? ":warning:" : ":white_check_mark:";
    return `${sign} \`${rule}\` ${escaped(printable(text.slice(0, LONGEST_LINE)))}`;
  });
  const more = ordered.length - lines.length;
  if (more > 0) lines.push(`… and ${more} more: \`protean-server alerts list\` shows them all.`);
  return lines.join("\n");
}

/** What Slack would take for a mention or a link is text. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
