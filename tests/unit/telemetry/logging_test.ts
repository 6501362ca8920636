import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { getLogger } from "@logtape/logtape";
import { ConfigurationError } from "../../../lib/errors.ts";
import { writer } from "../../../lib/cli/io.ts";
import {
  effectiveLogLevel,
  type LoggingOptions,
  type LoggingSettings,
  startLogging,
  stopLogging,
} from "../../../lib/telemetry/logging.ts";

const SETTINGS: LoggingSettings = { level: "", format: "auto", redact: ["password"], per_logger: {} };
const logger = getLogger(["protean", "engine"]);

/** Logs with `options` and returns the lines written. */
function logged(options: Partial<LoggingOptions>, log: () => void): string[] {
  const lines: string[] = [];
  startLogging({ write: (text) => lines.push(text), isTerminal: false, ...options });
  try {
    log();
  } finally {
    stopLogging();
  }
  return lines;
}

Deno.test("a record is one JSON line with the reference's keys when nobody watches", () => {
  const lines = logged({}, () => logger.info("engine.started", { subscription_count: 6 }));
  assertEquals(lines.length, 1);
  const [line = ""] = lines;
  assert(line.endsWith("}\n"));
  const { timestamp, ...rest } = JSON.parse(line);
  assertEquals(rest, {
    event: "engine.started",
    logger: "protean.engine",
    level: "info",
    subscription_count: 6,
  });
  assertEquals(new Date(timestamp).toISOString(), timestamp);
});

Deno.test("a line whose properties throw when they are read is not lost", () => {
  const refuse = () => {
    throw new Error("refused");
  };
  const facts = Object.defineProperty({}, "total", { get: refuse, enumerable: true });
  const lines = logged({ worker: 1 }, () => {
    logger.error("order.failed", facts);
    logger.error("order {facts.total}", { facts });
  });
  assertEquals(
    lines.map((line) => JSON.parse(line)).map(({ event, properties, worker }) => [event, properties, worker]),
    [["order.failed", "(unreadable)", 1], ["order {facts.total}", "(unreadable)", 1]],
  );
});

Deno.test("a record is one readable line on a terminal", () => {
  const lines = logged({ isTerminal: true, env: (name) => (name === "NO_COLOR" ? "1" : undefined) }, () => {
    logger.warning("dlq.depth", {
      stream: "my_domain::order",
      note: "two\nlines",
      error: new Error("no route"),
    });
  });
  assertEquals(lines.length, 1);
  const [line = ""] = lines;
  assertEquals(
    line.slice(13),
    'warning  dlq.depth stream=my_domain::order note="two\\nlines" error="no route" error_type=Error\n',
  );
});

for (
  const [format, fromFile, isTerminal, json] of [
    ["auto", "auto", false, true],
    ["auto", "auto", true, false],
    ["json", "auto", true, true],
    ["console", "json", false, false],
    ["auto", "console", false, false],
    [undefined, "json", true, true],
  ] as const
) {
  Deno.test(`format ${format} over ${fromFile} is ${json ? "JSON" : "readable"} when terminal is ${isTerminal}`, () => {
    const [line = ""] = logged(
      { ...(format && { format }), settings: { ...SETTINGS, format: fromFile }, isTerminal },
      () => logger.info("x"),
    );
    assertEquals(line.startsWith("{"), json);
  });
}

for (
  const [level, variable, fromFile, fallbackLevel, expected] of [
    ["debug", "error", "warning", "info", "debug"],
    [undefined, "ERROR", "warning", "info", "error"],
    [undefined, "", "warn", "info", "warning"],
    [undefined, undefined, "", "warning", "warning"],
    [undefined, undefined, "", undefined, "info"],
    ["critical", undefined, "", undefined, "fatal"],
  ] as const
) {
  Deno.test(`the level is ${expected} for flag ${level}, variable ${variable}, file '${fromFile}'`, () => {
    assertEquals(
      effectiveLogLevel({
        ...(level && { level }),
        ...(fallbackLevel && { fallbackLevel }),
        env: () => variable,
        settings: { ...SETTINGS, level: fromFile },
      }),
      expected,
    );
  });
}

Deno.test("an unknown level is a configuration error that says where it came from", () => {
  const error = assertThrows(
    () => effectiveLogLevel({ env: () => "loud" }),
    ConfigurationError,
    "PROTEAN_LOG_LEVEL is 'loud'",
  );
  assertStringIncludes(error.message, "warning");
  assertThrows(() => effectiveLogLevel({ env: () => "constructor" }), ConfigurationError, "no log level");
});

Deno.test("levels below the chosen one are not written, single loggers may differ", () => {
  const settings = { ...SETTINGS, per_logger: { "protean.engine": "debug", "protean.outbox": "error" } };
  const lines = logged({ settings }, () => {
    logger.debug("engine.debug");
    getLogger(["protean", "dlq"]).debug("dlq.debug");
    getLogger(["protean", "outbox"]).warning("outbox.warning");
    getLogger(["protean", "outbox"]).error("outbox.error");
  });
  assertEquals(lines.map((line) => JSON.parse(line).event), ["engine.debug", "outbox.error"]);
});

Deno.test("secrets are masked and properties cannot replace the record's own keys", () => {
  const [line = ""] = logged({ settings: SETTINGS }, () => {
    logger.error("broker.failed", { password: "s3cret", event: "forged", level: "info" });
  });
  const { event, level, password } = JSON.parse(line);
  assertEquals([event, level, password], ["broker.failed", "error", "***"]);
});

for (const isTerminal of [false, true]) {
  Deno.test(`no URI shows its password ${isTerminal ? "on a terminal" : "in JSON"}, in message, property or stack`, () => {
    const uri = "postgresql://shop:hunter2@db/shop";
    const lines = logged({ level: "debug", isTerminal }, () => {
      logger.error(`lost ${uri}`, { error: new Error(`cannot reach ${uri}`, { cause: new Error(uri) }) });
      logger.error("lost {where}", { where: uri });
      logger.error("lost {where}", { where: { uri } });
      logger.error`lost ${uri}`;
    });
    assertEquals(lines.length, 4);
    for (const line of lines) {
      assert(!line.includes("hunter2"), line);
      assertStringIncludes(line, "postgresql://shop:***@db/shop");
    }
  });
}

Deno.test("an error's stack is written at debug only", () => {
  const fail = () => logger.error("handler.failed", { error: new TypeError("no") });
  const plain = JSON.parse(logged({}, fail)[0] ?? "");
  assertEquals([plain.error, plain.error_type, plain.stack], ["no", "TypeError", undefined]);
  const debug = JSON.parse(logged({ level: "debug" }, fail)[0] ?? "");
  assertStringIncludes(debug.stack, "logging_test.ts");
});

Deno.test("starting twice replaces, stopping twice does nothing", () => {
  const first: string[] = [];
  startLogging({ write: (text) => first.push(text), isTerminal: false });
  const second = logged({}, () => logger.info("x"));
  stopLogging();
  logger.info("y");
  assertEquals([first.length, second.length], [0, 1]);
});

Deno.test("a closed stderr costs the line and nothing else", () => {
  let attempts = 0;
  const write = writer({
    writeSync() {
      attempts++;
      throw new Deno.errors.BrokenPipe("Broken pipe");
    },
  });
  logged({ write }, () => {
    logger.info("x");
    logger.info("y");
  });
  assertEquals(attempts, 1);
});

Deno.test("no text that is logged drives a terminal or forges a line, nor does its key or a stack (L8c)", () => {
  const hostile = "\x7f\x9b31m\u202e\u2028\x1b[2J\n12:00:00.000 info forged";
  for (const format of ["console", "json"] as const) {
    const lines = logged({ format, level: "debug" }, () => {
      logger.info("x", { [hostile]: hostile, list: [hostile], error: new Error(hostile) });
      logger.info(`${hostile}`);
    });
    const text = lines.join("");
    assertEquals(/[^\P{Cc}\n]|[\u202a-\u202e\u2028]/u.exec(text), null, text);
    assert(!text.split("\n").some((line) => line.startsWith("12:00:00.000 info forged")), text);
    if (format === "json") assertEquals(JSON.parse(lines[0] ?? "")[hostile], hostile);
  }
});

Deno.test("a property of any name is logged and changes nothing else", () => {
  const [line = ""] = logged({}, () => logger.info("x", JSON.parse('{"__proto__":{"a":1},"constructor":2}')));
  assertStringIncludes(line, '"__proto__":{"a":1},"constructor":2');
});
