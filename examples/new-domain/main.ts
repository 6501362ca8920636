/** The team's own executable: this domain and every command of protean-server. */
import { main } from "@protean/server/cli";
import { domain } from "./domain.ts";
import config from "./domain.toml" with { type: "text" };

Deno.exit(await main({ domains: { new_domain: domain }, config }));
