/**
 * `deno task docs`: what is made from the code, the pages of `docs/reference/` and the examples of documentation
 * comments as a module that a test runs. A test fails where one of them is not what this would write.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { checkPage } from "./check_page.ts";
import { commandsPage } from "./commands_page.ts";
import { configKeyNames, configPage } from "./config_page.ts";
import { errorsPage } from "./errors_page.ts";
import { examplesModule } from "./examples_module.ts";
import { httpPage } from "./http_page.ts";
import { logsPage } from "./logs_page.ts";
import { metricsPage } from "./metrics_page.ts";
import { root } from "./root.ts";
import { history, recordOf } from "./since.ts";

/** Path below the root → its text. A further page is a line here. */
export const PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  "docs/reference/check.md": checkPage,
  "docs/reference/command-line.md": commandsPage,
  "docs/reference/configuration.md": configPage,
  "docs/reference/errors.md": errorsPage,
  "docs/reference/http.md": httpPage,
  "docs/reference/logs.md": logsPage,
  "docs/reference/metrics.md": metricsPage,
  "tests/unit/documented/examples.ts": examplesModule,
};

if (import.meta.main) {
  for (const [path, page] of Object.entries(PAGES)) {
    const file = join(root, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, await page());
  }
  const since = recordOf(configKeyNames(), history());
  await Deno.writeTextFile(join(root, "tools/since.json"), `${JSON.stringify(since, null, 2)}\n`);
}
