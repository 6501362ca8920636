import { assertEquals, assertMatch } from "@std/assert";
import { applicationName, processName } from "../../../lib/adapters/client_name.ts";

Deno.test("processName names the machine and the process", () => {
  assertMatch(processName(), new RegExp(`^[A-Za-z0-9.-]+-${Deno.pid}$`));
});

const NAMES: readonly (readonly [domain: string, process: string, expected: string])[] = [
  ["my_domain", "web-7f-1", "protean-server/my_domain/web-7f-1"],
  ["shop/eu", "h-1", "protean-server/shop_eu/h-1"],
  ["größe 1", "h-1", "protean-server/gr__e_1/h-1"],
  [
    "my_domain",
    "orders-production-eu-west-6d5f7c9bd8-x2v9q-1234567",
    "protean-server/my_domain/ction-eu-west-6d5f7c9bd8-x2v9q-1234567",
  ],
  [
    "a_domain_with_a_name_of_forty_characters",
    "orders-production-eu-west-6d5f7c9bd8-x2v9q-7",
    "protean-server/a_domain_with_a_name_of_/west-6d5f7c9bd8-x2v9q-7",
  ],
];
for (const [domain, process, expected] of NAMES) {
  Deno.test(`applicationName of '${domain}' on '${process}' keeps what tells workers apart`, () => {
    const name = applicationName(domain, process);
    assertEquals(name, expected);
    assertEquals(name.length <= 63, true);
  });
}
