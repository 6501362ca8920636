import { assertEquals } from "@std/assert";
import {
  aggregateCategory,
  camelDomain,
  categoryOf,
  commandCategory,
  deadLetterStream,
  normalizedDomain,
  parseTypeString,
  replayLane,
  streamOf,
  typeString,
  underscore,
} from "../../../lib/message/names.ts";

// wire 1.6; the last block was computed with Python's inflection 0.5.1.
const normalized: [string, string][] = [
  ["my_domain", "my_domain"],
  ["MyDomain", "mydomain"],
  ["OrderService", "orderservice"],
  ["My Domain", "my_domain"],
  ["order-service", "order_service"],
  ["shop.domain", "shop_domain"],
  ["My Shop-2.0", "my_shop_2_0"],
  ["__main__", "__main__"],
  ["Café Shop", "cafe_shop"],
  ["Ann's  Shop!", "ann_s_shop"],
  ["--a--b--", "a_b"],
  ["日本", ""],
  ["ﬁne Ⅻ", "fine_xii"],
];
for (const [name, expected] of normalized) {
  Deno.test(`normalizedDomain of '${name}' is '${expected}'`, () =>
    assertEquals(normalizedDomain(name), expected));
}

// wire 1.4; the last block was computed with Python's inflection 0.5.1.
const camel: [string, string][] = [
  ["MyDomain", "MyDomain"],
  ["my_domain", "MyDomain"],
  ["My Shop-2.0", "MyShop20"],
  ["shop.domain", "ShopDomain"],
  ["HTTPApi", "HttpApi"],
  ["Café Shop", "CafeShop"],
  ["my_domain_1_0", "MyDomain10"],
  ["shop2go", "Shop2Go"],
  ["Ann's Shop", "AnnsShop"],
  ["shop_id", "Shop"],
  ["'quoted' shop", "QuotedShop"],
  ["SHOP", "Shop"],
  ["__main__", "Main"],
  ["日本", ""],
];
for (const [name, expected] of camel) {
  Deno.test(`camelDomain of '${name}' is '${expected}'`, () => assertEquals(camelDomain(name), expected));
}

const underscored: [string, string][] = [
  ["Order", "order"],
  ["OrderItem", "order_item"],
  ["HTTPThing", "http_thing"],
  ["OrderV2", "order_v2"],
  ["Order2Item", "order2_item"],
  ["order-item", "order_item"],
  ["already_done", "already_done"],
];
for (const [name, expected] of underscored) {
  Deno.test(`underscore of '${name}' is '${expected}'`, () => assertEquals(underscore(name), expected));
}

Deno.test("a type string holds the camel-case domain, the name and the version", () => {
  assertEquals(typeString("Shop", "OrderPlaced", 1), "Shop.OrderPlaced.v1");
  assertEquals(typeString("my_domain", "OrderPlaced", 12), "MyDomain.OrderPlaced.v12");
});

const types: [string, ReturnType<typeof parseTypeString>][] = [
  ["Shop.OrderPlaced.v1", { domain: "Shop", name: "OrderPlaced", version: 1 }],
  ["Shop._OrderPMTransition.v1", { domain: "Shop", name: "_OrderPMTransition", version: 1 }],
  ["Shop.OrderFactEvent.v10", { domain: "Shop", name: "OrderFactEvent", version: 10 }],
  ["Shop.OrderPlaced", undefined],
  ["Shop.OrderPlaced.v0", undefined],
  ["Shop.OrderPlaced.v01", undefined],
  ["Shop.OrderPlaced.1", undefined],
  ["Shop.Sub.OrderPlaced.v1", undefined],
  ["Read", undefined],
  ["SNAPSHOT", undefined],
  ["", undefined],
];
for (const [type, expected] of types) {
  Deno.test(`parseTypeString of '${type}' is ${expected ? "its parts" : "undefined"}`, () => {
    assertEquals(parseTypeString(type), expected);
  });
}

// wire 1.6: the category ends at the first hyphen.
const streams: [string, string][] = [
  ["shop::order-42", "shop::order"],
  ["shop::order-fact-42", "shop::order"],
  ["shop::order:command-0a-1b", "shop::order:command"],
  ["shop::order:snapshot-42", "shop::order:snapshot"],
  ["position-shop.domain.OrderEvents-shop::order", "position"],
  ["shop::order_pm-ord-1", "shop::order_pm"],
  ["failed-shop.domain.OrderEvents-shop::order", "failed"],
  ["recovery-checkpoint-shop.domain.OrderEvents-shop::order", "recovery"],
  ["shop::order", "shop::order"],
  ["", ""],
];
for (const [stream, category] of streams) {
  Deno.test(`categoryOf '${stream}' is '${category}'`, () => assertEquals(categoryOf(stream), category));
}

Deno.test("streams of a category are named as the wire has them", () => {
  const category = aggregateCategory("my_domain", "OrderItem");
  assertEquals(category, "my_domain::order_item");
  assertEquals(streamOf(category, "a-b"), "my_domain::order_item-a-b");
  assertEquals(commandCategory(category), "my_domain::order_item:command");
  assertEquals(deadLetterStream(commandCategory(category)), "my_domain::order_item:command:dlq");
  assertEquals(replayLane(category, "my_domain.Audit"), "my_domain::order_item:replay:my_domain.Audit");
});
