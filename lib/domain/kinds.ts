/**
 * The kinds of handlers, and what follows from the kind alone. A further kind is one line here.
 *
 * @module
 */
import type { HandlerKind } from "./handler_port.ts";

/** What the kind of a handler decides. */
export interface KindOfHandler {
  /** With its article, for sentences: `an event handler`. */
  readonly label: string;
  /** What its handlers are given; `raw`: whatever JSON object another system has sent. */
  readonly messages: "command" | "event" | "raw";
  /** Without a word from handler or configuration (delivery 16). */
  readonly idempotent: boolean;
  /** Name of its row in reports (wire 8.7). */
  readonly rowName: (group: string, category: string) => string;
  /** The table of `[server.subscriptions]` that it may have besides the one of its name (wire 10.3). */
  readonly settingsTable?: (category: string) => string;
}

export const KINDS: Readonly<Record<HandlerKind, KindOfHandler>> = {
  command_handler: {
    label: "a command handler",
    messages: "command",
    idempotent: true,
    rowName: (_group, category) => `commands:${category}`,
    settingsTable: (category) => `Commands:${category}`,
  },
  event_handler: {
    label: "an event handler",
    messages: "event",
    idempotent: false,
    rowName: (group) => group,
  },
  projector: {
    label: "a projector",
    messages: "event",
    idempotent: false,
    rowName: (group, category) => `${group}-${category}`,
  },
  subscriber: {
    label: "a subscriber",
    messages: "raw",
    idempotent: false,
    rowName: (group) => group,
  },
};

/** The tables of `[server.subscriptions]` that a handler reads for a category, the strongest first. */
export function settingsTables(
  { name, kind }: { readonly name: string; readonly kind: HandlerKind },
  category: string,
): readonly string[] {
  const further = KINDS[kind].settingsTable?.(category);
  return further === undefined ? [name] : [name, further];
}
