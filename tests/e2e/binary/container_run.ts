/**
 * Runs an assembled image as a container engine would: PID 1 of its own, a mount namespace of its own, the
 * root read-only, a user without rights. Mounts live in that namespace and end with it, however the test
 * ends.
 *
 * @module
 */
import { join } from "node:path";
import { freePort } from "../../support/free_port.ts";
import { until } from "../../support/until.ts";
import { type Finished, RunningServer } from "../server.ts";
import { type Containerfile, readContainerfile } from "./container_file.ts";
import { assembleRoot, give } from "./container_root.ts";

/** What every engine sets, and what the base image does. */
const ENGINE = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/home/nonroot",
  SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt",
};

const UNSHARE = ["--mount", "--pid", "--fork", "--kill-child"];

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** False: nothing is mounted where the image declares its volumes. @default true */
  readonly volumes?: boolean;
}

/** Why this machine cannot run containers; undefined when it can. */
export function obstacle(): string | undefined {
  if (Deno.uid() !== 0) return "it takes root";
  const tried = [...UNSHARE, "--mount-proc", "setpriv", "--no-new-privs", "nsenter", "--version"];
  try {
    const { success, stderr } = new Deno.Command("unshare", { args: tried }).outputSync();
    return success ? undefined : new TextDecoder().decode(stderr).trim();
  } catch {
    return "unshare of util-linux is missing";
  }
}

/** The image, its data volume and the containers over them. */
export class Image {
  readonly #containers: RunningContainer[] = [];
  /** Files of the host, by the path in the container that they are mounted at, read-only. */
  readonly #files = new Map<string, string>();

  private constructor(readonly folder: string, readonly file: Containerfile, readonly port: number) {}

  /** `domain.toml` is mounted as a user would, without a health host. */
  static async assemble(): Promise<Image> {
    const folder = await Deno.makeTempDir({ prefix: "protean-container-" });
    const image = new Image(folder, await readContainerfile(), freePort());
    try {
      // Not the folder itself: nobody but root may enter it.
      await Deno.mkdir(image.#root);
      await assembleRoot(image.#root, image.file);
      await Deno.mkdir(image.data);
      await give(image.data, image.file.user);
      await image.mount("domain.toml", `[server.health]\nport = ${image.port}\n`);
      return image;
    } catch (error) {
      await image[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #root(): string {
    return `${this.folder}/root`;
  }

  /** What is mounted at the volume, as the host sees it. */
  get data(): string {
    return `${this.folder}/data`;
  }

  /**
   * Mounts a file into the working folder of the containers to come; without a text, the image's own is seen
   * again.
   */
  async mount(name: string, text?: string): Promise<void> {
    const target = join(this.file.folder, name);
    this.#files.delete(target);
    if (text === undefined) return;
    const source = `${this.folder}/${name}`;
    await Deno.writeTextFile(source, text);
    this.#files.set(target, source);
    // A file is mounted on a file: engines make one, too.
    await Deno.open(join(this.#root, target), { append: true, create: true }).then((file) => file.close());
  }

  /** Runs a command to its end, as `docker run --rm`. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return await finished(this.#command(args, options));
  }

  /** Starts a server and waits until it is ready, as `docker run -d`. */
  async start(args: readonly string[], options: RunOptions = {}): Promise<RunningContainer> {
    const log = `${this.folder}/server-${this.#containers.length}.log`;
    const child = this.#command(args, options, log).spawn();
    const container = new RunningContainer(child, this.port, log, this.file);
    this.#containers.push(container);
    await container.ready();
    return container;
  }

  /** `log`: the file that takes what is written to stderr; without it, both outputs are captured. */
  #command(args: readonly string[], { env, volumes = true }: RunOptions, log?: string): Deno.Command {
    const script = this.#script(volumes, log);
    return new Deno.Command("unshare", {
      args: [...UNSHARE, "sh", "-euc", script, "sh", ...this.file.entrypoint, ...args],
      clearEnv: true,
      env: { ...ENGINE, ...this.file.env, ...env },
      stdin: "null",
      stdout: log === undefined ? "piped" : "null",
      stderr: log === undefined ? "piped" : "null",
    });
  }

  /** What the new PID 1 does before it becomes the executable. */
  #script(volumes: boolean, log: string | undefined): string {
    const root = this.#root;
    const bind = (source: string, target: string) => `mount --bind ${quoted(source)} ${quoted(target)}`;
    const readOnly = (target: string) => `mount -o remount,bind,ro ${quoted(target)}`;
    const [uid, gid] = this.file.user.split(":");
    const place = `--root=${quoted(root)} --wd=${quoted(this.file.folder)}`;
    return [
      ...(log === undefined ? [] : [`exec 2>${quoted(log)}`]),
      bind(root, root),
      `mount -t proc -o nosuid,nodev,noexec proc ${quoted(`${root}/proc`)}`,
      ...(volumes ? this.file.volumes : []).map((target) => bind(this.data, root + target)),
      ...[...this.#files].map(([target, source]) => bind(source, root + target)),
      ...[...this.#files.keys()].map((target) => readOnly(root + target)),
      readOnly(root),
      `exec setpriv --no-new-privs unshare ${place} --setgid=${gid} --setuid=${uid} -- "$@"`,
    ].join("\n");
  }

  /** Ends what still runs and removes every file. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.#containers) await container.remove();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A server in a container. */
export class RunningContainer extends RunningServer {
  constructor(child: Deno.ChildProcess, port: number, log: string, readonly file: Containerfile) {
    super(child, port, log, Promise.resolve());
  }

  /** The process id of the container's PID 1, as the host sees it; undefined when it has ended. */
  async pid(): Promise<number | undefined> {
    const { pid } = this.child;
    const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
    return children.trim() === "" ? undefined : Number.parseInt(children);
  }

  /** A file of `/proc` about PID 1. */
  async about(name: string): Promise<string> {
    return await Deno.readTextFile(`/proc/${await this.pid()}/${name}`);
  }

  /** Runs a command beside the server, as `docker exec`. */
  async exec(args: readonly string[]): Promise<Finished> {
    const [uid, gid] = this.file.user.split(":");
    const inside = ["--mount", "--pid", "--root", "--wd", `--setgid=${gid}`, `--setuid=${uid}`];
    return await finished(
      new Deno.Command("nsenter", {
        args: [`--target=${await this.pid()}`, ...inside, "--", ...args],
        clearEnv: true,
        env: { ...ENGINE, ...this.file.env },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }),
    );
  }

  /** Signals PID 1 itself; returns the container's exit code. */
  override async end(signal: Deno.Signal): Promise<number> {
    Deno.kill(await this.pid() ?? NaN, signal);
    return (await this.child.status).code;
  }

  /** Ends it if it still runs. */
  async remove(): Promise<void> {
    await until(async () => {
      if (this.ended) return true;
      const pid = await this.pid();
      // The end of its parent does not end it: the change of user has undone that.
      if (pid !== undefined) Deno.kill(pid, "SIGKILL");
      return false;
    }, "the container to end");
  }
}

async function finished(command: Deno.Command): Promise<Finished> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** As one word of a shell's command. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
