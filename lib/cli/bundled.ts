/**
 * What our own executable carries: the guide's example, complete, and its configuration. Loaded when it is asked for.
 *
 * @module
 */
import type { CompiledIn } from "./cli.ts";

export const bundled: CompiledIn = {
  domains: {
    my_domain: async () => (await import("../../handlers/mod.ts")).domain,
  },
  config: async () => (await import("../../domain.toml", { with: { type: "text" } })).default,
};
