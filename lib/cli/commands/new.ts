/**
 * `new`: a domain that runs at once (design 12).
 *
 * @module
 */
import { Command, Option } from "commander";
import { relative, resolve } from "node:path";
import { loadsTypeScript } from "../../executable/standalone.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { domainNames } from "../new/names.ts";
import type { Language } from "../new/render.ts";
import type { Scaffold } from "../new/scaffold.ts";
import { addJsonOption, filled } from "../options.ts";

interface Options {
  readonly folder?: string;
  readonly language?: Language;
  readonly json?: boolean;
}

export function newCommand(cli: Cli, scaffold: () => Promise<Scaffold>): Command {
  const command = new Command("new")
    .description("Write a domain that runs at once: sources, a test, settings, files for containers and CI.")
    .argument("<name>", "what the domain is called, such as shop or my-shop")
    .option("--folder <folder>", "where to; it must be empty or not be there (default: the name)", filled)
    .addOption(
      new Option(
        "--language <language>",
        "what it is written in (default: TypeScript where this executable can load it from disk)",
      )
        .choices(["typescript", "javascript"] satisfies Language[]),
    );
  return withExamples(addJsonOption(command), [
    ["new shop", "then: cd shop && protean-server"],
    ["new my-shop --folder services/shop", "the domain my_shop, in another folder"],
  ]).action(async (name: string, options: Options) => {
    const names = domainNames(name, Object.keys(cli.compiledIn.domains));
    const folder = resolve(cli.io.cwd(), options.folder ?? name);
    const language = options.language ?? (loadsTypeScript() ? "typescript" : "javascript");
    const [{ render }, { writeFolder }, { jsonSchema }] = await Promise.all([
      import("../new/render.ts"),
      import("../new/folder.ts"),
      import("../../config/json_schema.ts"),
    ]);
    const schema = `${JSON.stringify(jsonSchema(), null, 2)}\n`;
    const files = render(await scaffold(), names, language, schema);
    await writeFolder(folder, files);
    const data = { domain: names.snake, folder, language, files: Object.keys(files) };
    cli.io.out(options.json ? envelope("pass", data) : told(data, relative(cli.io.cwd(), folder)));
  });
}

function told({ domain, folder, files }: { domain: string; folder: string; files: string[] }, from: string) {
  const there = from === ""
    ? ""
    : `  cd ${/^[\w./-]+$/.test(from) ? from : `'${from.replaceAll("'", "'\\''")}'`}\n`;
  const own = files.filter((path) => !path.startsWith("vendor/"));
  return `Wrote the domain '${domain}' to '${folder}': ${own.length} files, and the library in vendor/.

${there}  protean-server                                                           # runs it
  protean-server send PlaceOrder --data '{"orderId":"o-1","amount":10}'    # in another terminal
  deno task test                                                           # with Deno: its tests

README.md there says the rest.
`;
}
