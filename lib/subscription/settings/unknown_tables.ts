/**
 * Tables of `[server.subscriptions]` that no handler of the domain reads: most likely a slip (CFG-1), unless
 * the file is shared with a Python service.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/load.ts";
import { endingWithHint } from "../../config/nearest.ts";
import { dotted, type Path } from "../../config/tree.ts";
import type { HandlerRunner } from "../../domain/handler_port.ts";
import { type Diagnostic, placeOf } from "../../diagnostics.ts";
import { settingsTables } from "../../domain/kinds.ts";

/** One problem, `CONFIG_UNKNOWN_HANDLER`, for every such table. */
export function unknownSubscriptionTables(
  loaded: LoadedConfig,
  handlers: readonly Pick<HandlerRunner, "name" | "kind" | "categories">[],
): Diagnostic[] {
  const names = handlers.flatMap((
    handler,
  ) => [handler.name, ...handler.categories.flatMap((category) => settingsTables(handler, category))]);
  return Object.keys(loaded.config.server.subscriptions)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const path: Path = ["server", "subscriptions", name];
      const [origin] = [...loaded.origins.values()].filter((one) =>
        one.path[2] === name && one.path[1] === path[1]
      );
      return {
        code: "CONFIG_UNKNOWN_HANDLER",
        level: "warning",
        key: dotted(path),
        message: `[${dotted(path)}] is about no handler of this domain${endingWithHint(name, names)}`,
        ...placeOf(origin),
      };
    });
}
