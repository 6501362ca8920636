import { assertEquals, assertStringIncludes } from "@std/assert";
import { main } from "../../../lib/cli/mod.ts";
import { recordingIo } from "./support.ts";

async function script(shell: string): Promise<string> {
  const io = recordingIo();
  assertEquals(await main({ domains: {}, args: ["completion", shell], io }), 0);
  return io.stdout;
}

/** What bash offers after `words`. */
async function offers(...words: string[]): Promise<string[]> {
  const program = `${await script("bash")}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _protean_server; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", program, "bash", "protean-server", ...words],
  }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

for (
  const [words, expected] of [
    [["se"], ["server", "send"]],
    [
      ["dlq", ""],
      [
        "list",
        "stats",
        "note",
        "inspect",
        "replay",
        "replay-all",
        "discard",
        "restore",
        "purge",
        "import",
        "--help",
      ],
    ],
    [["--domain", "shop", "dlq", "pu"], ["purge"]],
    [["--domain=shop", "--wor"], ["--workers"]],
    [["dlq", "list", "--li"], ["--limit"]],
    [["completion", ""], ["bash", "zsh", "fish", "--help"]],
  ] as const
) {
  Deno.test({
    name: `bash completes '${words.join(" ")}'`,
    ignore: Deno.build.os === "windows",
    fn: async () => assertEquals(await offers(...words), [...expected]),
  });
}

Deno.test("zsh and fish know commands and options with their meaning", async () => {
  const zsh = await script("zsh");
  assertEquals(zsh.startsWith("#compdef protean-server\n"), true);
  assertStringIncludes(zsh, "'--limit:at most this many'");
  const fish = await script("fish");
  assertStringIncludes(
    fish,
    "complete -c protean-server -n '__fish_seen_subcommand_from dlq; and __fish_seen_subcommand_from list' -l limit",
  );
});
