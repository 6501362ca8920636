/**
 * What the Containerfile says, so that the test runs the very image that it describes.
 *
 * @module
 */

/** `COPY` of the final stage. */
export interface Copy {
  /** The stage it comes from; undefined for the build's context. */
  readonly stage: string | undefined;
  /** `uid:gid`; undefined for root. */
  readonly owner: string | undefined;
  readonly source: string;
  readonly target: string;
}

/** The final stage, and what leads to it. */
export interface Containerfile {
  /** Defaults of the arguments before the first stage. */
  readonly args: Readonly<Record<string, string>>;
  /** The image that the final stage begins with. */
  readonly base: string;
  readonly copies: readonly Copy[];
  readonly labels: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly folder: string;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
  /** Commands of the stages before. */
  readonly building: readonly string[];
  /** Commands that the final stage would run: distroless has nothing to run them with. */
  readonly running: readonly string[];
  /** Paths of the context that any stage copies. */
  readonly context: readonly string[];
}

type Instruction = readonly [name: string, rest: string];

export const projectFolder = new URL("../../../", import.meta.url).pathname;

/** Reads the project's. Throws where an instruction is missing or has a shell's form. */
export async function readContainerfile(): Promise<Containerfile> {
  const all = instructions(await Deno.readTextFile(`${projectFolder}Containerfile`));
  const stages = all.flatMap(([name], index) => name === "FROM" ? [index] : []);
  const last = stages.at(-1) ?? 0;
  const final = all.slice(last);
  const args = pairs(all.slice(0, stages[0]), "ARG");
  const one = (name: string) => {
    const found = rests(final, name).at(-1);
    if (found === undefined) throw new Error(`The final stage of the Containerfile has no ${name}.`);
    return found;
  };
  return {
    args,
    base: substituted(one("FROM"), args),
    copies: rests(final, "COPY").map(copy),
    labels: pairs(final, "LABEL"),
    env: pairs(final, "ENV"),
    user: one("USER"),
    folder: one("WORKDIR"),
    volumes: words(one("VOLUME")),
    ports: one("EXPOSE").split(" "),
    entrypoint: words(one("ENTRYPOINT")),
    healthcheck: words(one("HEALTHCHECK").replace(/^.*? ?CMD /, "")),
    building: rests(all.slice(0, last), "RUN"),
    running: rests(final, "RUN"),
    context: rests(all, "COPY").filter((rest) => !rest.includes("--from=")).flatMap((rest) =>
      rest.split(" ").slice(0, -1)
    ),
  };
}

function instructions(text: string): Instruction[] {
  return text.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n\s*/g, "").split("\n").flatMap((line) => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? [];
    return name === undefined || rest === undefined ? [] : [[name, rest] as const];
  });
}

function rests(from: readonly Instruction[], wanted: string): string[] {
  return from.flatMap(([name, rest]) => name === wanted ? [rest] : []);
}

/** `A=b C="d e"` of every such instruction. */
function pairs(from: readonly Instruction[], wanted: string): Record<string, string> {
  return Object.fromEntries(
    rests(from, wanted).flatMap((rest) =>
      [...rest.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map(([, name = "", quoted, plain]) => [
        name,
        quoted ?? plain ?? "",
      ])
    ),
  );
}

/** The exec form: a shell's form is a plain text, which is no list. */
function words(text: string): string[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error(`Not in exec form: ${text}.`);
  return list.map(String);
}

function copy(rest: string): Copy {
  const [, stage] = /--from=(\S+)/.exec(rest) ?? [];
  const [, owner] = /--chown=(\S+)/.exec(rest) ?? [];
  const [source = "", target = ""] = rest.split(" ").filter((word) => !word.startsWith("--"));
  return { stage, owner, source, target };
}

function substituted(text: string, args: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => substituted(args[name] ?? "", args));
}
