import { assertEquals } from "@std/assert";
import { mergedText } from "../../../lib/telemetry/metrics/merged_text.ts";

Deno.test("the samples of all workers stand together under one type", () => {
  const of = (worker: number, more = "") =>
    `# HELP a_total A.\n# TYPE a_total counter\na_total{worker="${worker}"} 1\n` +
    `# TYPE b gauge\nb{worker="${worker}"} ${worker}\n${more}`;
  assertEquals(
    mergedText([of(1), of(2, '# TYPE c gauge\nc{worker="2"} 9\n')]),
    [
      "# HELP a_total A.",
      "# TYPE a_total counter",
      'a_total{worker="1"} 1',
      'a_total{worker="2"} 1',
      "# TYPE b gauge",
      'b{worker="1"} 1',
      'b{worker="2"} 2',
      "# TYPE c gauge",
      'c{worker="2"} 9',
      "",
    ].join("\n"),
  );
});

Deno.test("nothing of nobody is nothing", () => {
  assertEquals([mergedText([]), mergedText(["", ""])], ["", ""]);
});

Deno.test("what one worker says of a metric twice is said once", () => {
  const text = "# HELP a A.\n# TYPE a gauge\na 1\n";
  assertEquals(mergedText([text, text]), "# HELP a A.\n# TYPE a gauge\na 1\na 1\n");
});
