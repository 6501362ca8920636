import { assert, assertEquals } from "@std/assert";
import { PatientWriter } from "../../../lib/telemetry/patient_writer.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

/** A reader that takes nothing until it is told to. */
class Pipe {
  text = "";
  writes = 0;
  readonly #decoder = new TextDecoder();
  #reading = Promise.withResolvers<void>();

  constructor(private readonly size = Infinity) {}

  async write(bytes: Uint8Array): Promise<number> {
    this.writes++;
    await this.#reading.promise;
    const part = bytes.subarray(0, this.size);
    this.text += this.#decoder.decode(part, { stream: true });
    return part.length;
  }

  read(): void {
    this.#reading.resolve();
  }

  fail(error: Error): void {
    this.#reading.reject(error);
  }
}

function open(pipe: Pipe, maxBytes?: number) {
  const told: [number, number][] = [];
  const clock = new FakeClock();
  const writer = new PatientWriter({
    ...{ target: pipe, clock, dropped: (count, bytes) => void told.push([count, bytes]) },
    ...maxBytes !== undefined && { maxBytes },
  });
  return { writer, told, clock };
}

Deno.test("texts come out whole and in order, however small the pieces that the reader takes", async () => {
  const pipe = new Pipe(3);
  const { writer, told } = open(pipe);
  for (const text of ["one\n", "two ü\n", "three\n"]) writer.write(text);
  pipe.read();
  await writer.close(1000);
  assertEquals([pipe.text, told], ["one\ntwo ü\nthree\n", []]);
});

Deno.test("texts of one turn go out together", async () => {
  const pipe = new Pipe();
  const { writer } = open(pipe);
  for (let n = 0; n < 100; n++) writer.write(`${n}\n`);
  pipe.read();
  await writer.close(1000);
  assertEquals(pipe.writes, 1);
});

Deno.test("beyond the bound texts are dropped, counted, and told behind what was kept", async () => {
  const pipe = new Pipe();
  const clock = new FakeClock();
  const writer: PatientWriter = new PatientWriter({
    ...{ target: pipe, clock, maxBytes: 20 },
    dropped: (count, bytes) => writer.write(`dropped ${count}/${bytes}\n`),
  });
  for (let n = 0; n < 10; n++) writer.write(`line ${n}\n`);
  pipe.read();
  await writer.close(1000);
  writer.write("after the end\n");
  assertEquals(pipe.text, "line 0\nline 1\ndropped 8/56\n");
});

Deno.test("a reader that takes nothing holds up neither who writes nor who ends", async () => {
  const pipe = new Pipe();
  const { writer, clock } = open(pipe, 1000);
  for (let n = 0; n < 10_000; n++) writer.write("a line of the log\n");
  const closing = writer.close(1000);
  await clock.advance(1000);
  await closing;
  writer.write("after the end\n");
  assertEquals([pipe.text, pipe.writes], ["", 1]);
});

for (const error of [new Deno.errors.BrokenPipe("gone"), new Error("No space left on device")]) {
  Deno.test(`after '${error.message}' nothing is written and nothing is thrown`, async () => {
    const pipe = new Pipe();
    const { writer, told } = open(pipe);
    writer.write("a\n");
    pipe.fail(error);
    await writer.close(1000);
    writer.write("b\n");
    assertEquals([pipe.writes, told], [1, []]);
  });
}

Deno.test("a pipe that does not block is asked again, and left alone at the end", async () => {
  const clock = new FakeClock();
  let attempts = 0;
  const target = {
    write(): Promise<number> {
      attempts++;
      return Promise.reject(new Deno.errors.WouldBlock("full"));
    },
  };
  const writer = new PatientWriter({ target, clock, dropped: () => {} });
  writer.write("text\n");
  const closing = writer.close(1000);
  await clock.advance(1000);
  await closing;
  assert(attempts > 1);
  const before = attempts;
  await clock.advance(1000);
  assert(attempts <= before + 1);
});
