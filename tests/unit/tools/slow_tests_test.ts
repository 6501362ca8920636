/** The list of the slowest tests, from a report as Deno writes it. */
import { assertEquals } from "@std/assert";
import { slowest } from "../../../tools/slow_tests.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="3" failures="0" errors="0" time="3.1">
    <testsuite name="./a_test.ts" tests="2" disabled="0" errors="0" failures="0">
        <testcase name="quick" classname="./a_test.ts" time="0.010" line="3" col="6">
        </testcase>
        <testcase name="a &lt;b&gt; &amp; &quot;c&quot;" classname="./a_test.ts" time="2.500" line="5" col="6">
        </testcase>
    </testsuite>
    <testsuite name="./b_test.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="middle" classname="./b_test.ts" time="0.600" line="1" col="6">
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("the slowest tests come first, by the names that they have, and no more than were asked for", () => {
  assertEquals(slowest(REPORT, 2), [
    { name: 'a <b> & "c"', file: "./a_test.ts", seconds: 2.5 },
    { name: "middle", file: "./b_test.ts", seconds: 0.6 },
  ]);
});
