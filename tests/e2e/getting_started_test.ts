/** Goes through `docs/guides/getting-started.md`, block by block, as its reader does in two terminals. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";
import { program } from "./server.ts";

const GUIDE = new URL("../../docs/guides/getting-started.md", import.meta.url);
const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

/** The page's blocks in order: their language, and their text. */
async function blocks(): Promise<(readonly [language: string, text: string])[]> {
  const page = await Deno.readTextFile(GUIDE);
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)\n```$/gm)].map(([, language = "", text = ""]) =>
    [language, text] as const
  );
}

/** A server in a terminal of its own. */
class Terminal implements AsyncDisposable {
  said = "";
  readonly #ended: Promise<void>;

  constructor(readonly child: Deno.ChildProcess) {
    this.#ended = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.child.stderr.pipeThrough(new TextDecoderStream())) this.said += text;
  }

  /** Ctrl-C. */
  async stop(): Promise<number> {
    this.child.kill("SIGINT");
    const { code } = await this.child.status;
    await this.#ended;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.child.status;
    await this.#ended;
  }
}

Deno.test("the guide leads from new to a handled event, a replayed dead letter and a drained server", async () => {
  const home = await Deno.makeTempDir({ prefix: "protean-started-" });
  await using terminals = new AsyncDisposableStack();
  terminals.defer(() => Deno.remove(home, { recursive: true }));
  await Deno.mkdir(`${home}/bin`);
  const commands = { "protean-server": program(), deno: [Deno.execPath()] };
  for (const [name, words] of Object.entries(commands)) {
    await Deno.writeTextFile(`${home}/bin/${name}`, `#!/bin/sh\nexec ${quoted(words)} "$@"\n`, {
      mode: 0o755,
    });
  }
  const env = {
    ...{ NO_COLOR: "1", HEALTH_PORT: String(freePort()) },
    PATH: `${home}/bin:${Deno.env.get("PATH")}`,
  };
  let cwd = home;
  let output = "";
  let server: Terminal | undefined;
  for (const [language, text] of await blocks()) {
    if (text === "protean-server") {
      // As it looks on a terminal.
      const args = ["server", "--log-format=console"];
      const options = { args, cwd, env, stdin: "null", stdout: "null", stderr: "piped" } as const;
      server = new Terminal(new Deno.Command(`${home}/bin/protean-server`, options).spawn());
      terminals.use(server);
      output = "";
    } else if (language === "sh") {
      const args = ["-ec", `${text}\npwd > '${home}/pwd'`];
      const ended = await new Deno.Command("sh", { args, cwd, env, stdin: "null" }).output();
      const decoder = new TextDecoder();
      output = decoder.decode(ended.stdout) + decoder.decode(ended.stderr);
      assertEquals(ended.code, 0, `${text}\n${output}`);
      cwd = (await Deno.readTextFile(`${home}/pwd`)).trim();
    } else if (language === "js") {
      const [file = ""] = [...Deno.readDirSync(cwd)].map(({ name }) => name).filter((name) =>
        /^handlers\./.test(name)
      );
      const before = await Deno.readTextFile(`${cwd}/${file}`);
      const after = before.replace(/^const CREDIT_LIMIT = .*$/m, text);
      assert(before !== after, "the page's line changes the handler");
      await Deno.writeTextFile(`${cwd}/${file}`, after);
    } else {
      assertEquals(language, "text");
      if (text.startsWith("engine.stopped")) assertEquals(await server?.stop(), 0, server?.said);
      for (const line of text.split("\n")) {
        const said = () => output.includes(line) || (server?.said.includes(line) ?? false);
        await until(said, line, { within: 20_000 }).catch((cause) => {
          throw new Error(`Nobody said '${line}':\n${output}\n${server?.said}`, { cause });
        });
      }
    }
  }
  assertStringIncludes(cwd, "/shop");
});
