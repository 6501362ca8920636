import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { members, memberText, stringEnd } from "../../../lib/message/json_text.ts";
import { key, model } from "./arbitraries.ts";
import { write } from "./slow_canonical.ts";

Deno.test("members finds keys and values in their own writing", () => {
  const text = String.raw` { "a" : 10.0 ,"\u0062":{"a":"}\"]"},"c":[1,{"d":[]}], "e":"x\\" , "f":null}`;
  const found = members(text).map(({ key, from, valueFrom, end }) => [
    key,
    text.slice(from, end),
    text.slice(valueFrom, end),
  ]);
  assertEquals(found, [
    ["a", '"a" : 10.0', "10.0"],
    ["b", String.raw`"\u0062":{"a":"}\"]"}`, String.raw`{"a":"}\"]"}`],
    ["c", '"c":[1,{"d":[]}]', '[1,{"d":[]}]'],
    ["e", String.raw`"e":"x\\"`, String.raw`"x\\"`],
    ["f", '"f":null', "null"],
  ]);
});

Deno.test("an empty object has no members", () => {
  assertEquals(members("{}"), []);
  assertEquals(members(" { } "), []);
});

Deno.test("memberText is the last one's, or undefined", () => {
  assertEquals(memberText('{"a":1,"b":2,"a":3.0}', "a"), "3.0");
  assertEquals(memberText('{"a":1}', "b"), undefined);
});

Deno.test("stringEnd is behind the closing quote, or -1", () => {
  assertEquals(stringEnd(String.raw`x"a\"b\\"y`, 1), 9);
  assertEquals(stringEnd('"abc', 0), -1);
  assertEquals(stringEnd(String.raw`"abc\"`, 0), -1);
});

Deno.test("members finds every member of any object, however it is spaced", () => {
  const object = fc.array(fc.tuple(key, model), { maxLength: 6 });
  fc.assert(fc.property(object, fc.constantFrom("", " ", "\r\n\t"), (entries, space) => {
    const text = write({ kind: "object", members: entries }, space, false);
    const found = members(text);
    assertEquals(found.map((member) => member.key), entries.map(([key]) => key));
    assertEquals(
      found.map((member) => text.slice(member.valueFrom, member.end)),
      entries.map(([, value]) => write(value, space, false)),
    );
  }));
});
