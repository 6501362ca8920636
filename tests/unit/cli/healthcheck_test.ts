import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../../../lib/cli/mod.ts";
import { certify, opensslAvailable } from "../../support/certificates.ts";
import { recordingIo } from "./support.ts";

/** Runs `healthcheck` against a server that answers with `status`; undefined: nobody listens. */
async function check(status: number | undefined, args: (port: number) => string[], toml?: string) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(new URL(request.url).pathname);
    return new Response('{"status":"x"}', { status: status ?? 200 });
  });
  const { port } = server.addr;
  if (status === undefined) await server.shutdown();
  const cwd = await Deno.makeTempDir();
  try {
    if (toml !== undefined) {
      await Deno.writeTextFile(`${cwd}/domain.toml`, toml.replace("PORT", String(port)));
    }
    const io = recordingIo({ cwd });
    const code = await main({ domains: {}, args: ["healthcheck", ...args(port)], io });
    return { code, stdout: io.stdout, stderr: io.stderr, asked };
  } finally {
    if (status !== undefined) await server.shutdown();
    await Deno.remove(cwd, { recursive: true });
  }
}

const url = (port: number) => ["--url", `http://127.0.0.1:${port}/readyz`];

Deno.test("a server that answers 200 is exit 0", async () => {
  assertEquals(await check(200, url), {
    code: 0,
    stdout: '{"status":"x"}\n',
    stderr: "",
    asked: ["/readyz"],
  });
});

Deno.test("a server that answers 503 is exit 1", async () => {
  const { code, stderr } = await check(503, url);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "answered 503");
});

Deno.test("nobody who listens is exit 1", async () => {
  const { code, stdout, stderr } = await check(undefined, url);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^Error: No answer from .*\n$/);
});

Deno.test("without --url the port is the configuration's and the path is /healthz", async () => {
  for (const host of ["127.0.0.1", "0.0.0.0"]) {
    const toml = `[server.health]\nhost = "${host}"\nport = PORT\n`;
    const { code, asked, stderr } = await check(200, () => [], toml);
    assertEquals([code, asked], [0, ["/healthz"]], stderr);
  }
});

Deno.test("a server is asked directly, whatever proxy the environment names", async () => {
  const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"];
  names.forEach((name) => Deno.env.set(name, "http://127.0.0.1:1"));
  try {
    const { code, stderr } = await check(200, url);
    assertEquals(code, 0, stderr);
  } finally {
    names.forEach((name) => Deno.env.delete(name));
  }
});

Deno.test("a server is asked directly where node:http is told to obey the variables too", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("{}"),
  );
  const main = new URL("../../../main.ts", import.meta.url).pathname;
  for (const name of ["HTTP_PROXY", "http_proxy"]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        main,
        "healthcheck",
        "--url",
        `http://127.0.0.1:${server.addr.port}/`,
      ],
      env: { [name]: "http://127.0.0.1:1", NODE_USE_ENV_PROXY: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  }
});

Deno.test("a host of IPv6 is asked at its loopback, in brackets or not", async () => {
  for (const host of ["::", "[::]", "::1"]) {
    const server = Deno.serve({ hostname: "::", port: 0, onListen() {} }, () => new Response("{}"));
    const cwd = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(
        `${cwd}/domain.toml`,
        `[server.health]\nhost = "${host}"\nport = ${server.addr.port}\n`,
      );
      const io = recordingIo({ cwd });
      assertEquals(await main({ domains: {}, args: ["healthcheck"], io }), 0, io.stderr);
    } finally {
      await server.shutdown();
      await Deno.remove(cwd, { recursive: true });
    }
  }
});

Deno.test({
  name: "an https server that nobody vouches for is exit 1, whatever NODE_TLS_REJECT_UNAUTHORIZED says",
  ignore: !opensslAvailable,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await certify(folder);
    const [cert, key] = await Promise.all(
      ["cert.pem", "key.pem"].map((name) => Deno.readTextFile(`${folder}/${name}`)),
    );
    await Deno.remove(folder, { recursive: true });
    const listening = { hostname: "127.0.0.1", port: 0, onListen() {}, cert: `${cert}`, key: `${key}` };
    const server = Deno.serve(listening, () => new Response("{}"));
    const before = Deno.env.get("NODE_TLS_REJECT_UNAUTHORIZED");
    Deno.env.set("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    try {
      const io = recordingIo();
      const args = ["healthcheck", "--url", `https://127.0.0.1:${server.addr.port}/`];
      assertEquals(await main({ domains: {}, args, io }), 1);
      assertMatch(io.stderr, /certificate/);
    } finally {
      if (before === undefined) Deno.env.delete("NODE_TLS_REJECT_UNAUTHORIZED");
      else Deno.env.set("NODE_TLS_REJECT_UNAUTHORIZED", before);
      await server.shutdown();
    }
  },
});

Deno.test("of an endless answer the beginning is shown, without waiting for its end (L8g)", async () => {
  const endless = () =>
    new ReadableStream<Uint8Array>({ pull: (stream) => stream.enqueue(new Uint8Array(4096).fill(120)) });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response(endless()));
  const io = recordingIo();
  const args = ["healthcheck", "--url", `http://127.0.0.1:${server.addr.port}/`, "--timeout", "60"];
  assertEquals(await main({ domains: {}, args, io }), 0, io.stderr);
  assertEquals(io.stdout, `${"x".repeat(10_000)}\n`);
  await server.shutdown();
});

Deno.test("nothing that is said repeats the user part of --url (L8g)", async () => {
  for (const user of ["SECRET", "SECRET:SECRET", "name:SECRET"]) {
    for (const status of [undefined, 503]) {
      const { code, stdout, stderr } = await check(
        status,
        (port) => ["--url", `http://${user}@127.0.0.1:${port}/readyz`],
      );
      assertEquals([code, (stdout + stderr).includes("SECRET")], [1, false], stderr);
    }
    for (const wrong of [`ftp://${user}@h/`, `http://${user}@[::1/`, `${user}@h`]) {
      const io = recordingIo();
      assertEquals(await main({ domains: {}, args: ["healthcheck", "--url", wrong], io }), 2);
      assertEquals(io.stderr.includes("SECRET"), false, io.stderr);
    }
  }
});

Deno.test("what does not talk HTTP, hangs or has a user that cannot be read is one sentence and exit 1", async () => {
  for (
    const [said, url, why] of [
      ["hello\r\n\r\n", "", "it does not answer in HTTP"],
      ["", "", "it does not answer in HTTP"],
      [undefined, "", "it took too long"],
      ["", "http://%zz@127.0.0.1:1/", "URI malformed"],
    ] as const
  ) {
    using listener = Deno.listen({ hostname: "::1", port: 0 });
    const served = (async () => {
      using conn = await listener.accept();
      await conn.read(new Uint8Array(1024));
      if (said === undefined) return void await conn.read(new Uint8Array(1));
      await conn.write(new TextEncoder().encode(said));
    })().catch(() => {});
    const io = recordingIo({});
    const target = url || `http://[::1]:${listener.addr.port}/`;
    const code = await main({ domains: {}, args: ["healthcheck", "--timeout", "0.5", "--url", target], io });
    assertEquals([code, io.stderr.split("\n").length], [1, 2], io.stderr);
    assertStringIncludes(io.stderr, why);
    if (url !== "") listener.close();
    await served;
  }
});
