/**
 * The command line (design 12). A team's own executable is this and its domains:
 *
 * ```ts
 * import { main } from "@protean/server/cli";
 * import { shop } from "./shop.ts";
 *
 * Deno.exit(await main({ domains: { shop } }));
 * ```
 *
 * @module
 */
import type { Domain } from "../domain/domain.ts";
import { ProteanError } from "../errors.ts";
import { stopLogging, tellRepeated } from "../telemetry/logging.ts";
import { ownerNamed, verbFirst } from "./arguments.ts";
import { type CompiledIn, createCli, type Demo } from "./cli.ts";
import { type CliIo, processIo } from "./io.ts";
import type { Scaffold } from "./new/scaffold.ts";
import { buildProgram, DEFAULT_VERB } from "./program.ts";
import { report } from "./report.ts";

export type { Demo } from "./cli.ts";
export type { CliIo } from "./io.ts";
export type { Files, Scaffold } from "./new/scaffold.ts";

/** Options of `main`. */
export interface MainOptions {
  /**
   * Domains that `--domain=NAME` finds before it looks at the disk; a function loads its domain when it is
   * asked for. @default none
   */
  readonly domains?: Readonly<Record<string, Domain | (() => Promise<Domain>)>>;
  /**
   * Text of the domain.toml for `domains` where none is found on disk; import it `with { type: "text" }`.
   * @default none
   */
  readonly config?: string | (() => Promise<string>);
  /** What `demo` shows. @default there is no such command */
  readonly demo?: Demo;
  /** What `new` writes. @default there is no such command */
  readonly scaffold?: () => Promise<Scaffold>;
  /** @default the process's own */
  readonly args?: readonly string[];
  /** @default the process's own */
  readonly io?: CliIo;
}

/**
 * Runs one command and returns the exit code: 0 fine; 1 findings, or a failure while running; 2 usage,
 * configuration or environment; 4 stopped as asked, but work was cut and will be redelivered. Never rejects.
 */
export async function main(options: MainOptions = {}): Promise<number> {
  const args = options.args ?? Deno.args;
  const cli = createCli(options.io ?? processIo(), compiledIn(options));
  try {
    const program = buildProgram(cli);
    await program.parseAsync(verbFirst(args, program, DEFAULT_VERB), { from: "user" })
      .catch((error) => {
        throw ownerNamed(error, program);
      });
    assertWritten(cli.io);
    return cli.exitCode;
  } catch (error) {
    return report(cli, error, args);
  } finally {
    // While it can still be written.
    tellRepeated();
    await cli.io.settle?.();
    stopLogging();
  }
}

/**
 * Throws when data for stdout did not get there: whoever keeps it in a file must not take a part for the
 * whole.
 */
function assertWritten({ outFailure }: CliIo): void {
  if (!outFailure) return;
  throw new ProteanError(`Not all of the output could be written: ${outFailure.message}.`, {
    code: "OUTPUT",
    cause: outFailure,
  });
}

function compiledIn({ domains = {}, config, demo, scaffold }: MainOptions): CompiledIn {
  return {
    domains: Object.fromEntries(
      Object.entries(domains).map(([name, domain]) => [
        name,
        () => Promise.resolve(typeof domain === "function" ? domain() : domain),
      ]),
    ),
    config: () => Promise.resolve(typeof config === "function" ? config() : config),
    demo,
    scaffold,
  };
}
