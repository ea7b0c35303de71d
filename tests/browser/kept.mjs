// Whether what is in somebody's hands stays there: while they are at its page, and not for longer; in the page's own time.
// Called by tests/server/browser.rs. Whatever is not as it should be ends it with a message.
import { asked, browser, check } from "./person.mjs";

const MINUTE = 60_000;
const page = await (await browser.newContext()).newPage();
page.setDefaultTimeout(60_000);
await page.clock.install();
let renewals = 0;
page.on("request", (request) => (renewals += Number(request.url().endsWith("/claims/renew"))));

await page.goto(asked.url + "/queue");
await page.fill("#token", asked.validator);
await page.click("main button[type=submit]");
await page.waitForURL("**/queue");
await page.goto(asked.url + "/runs/r/desk");
await page.click("text=Take the next one");
await page.waitForURL("**/desk/work?gate=customer%2Fs0");
let at = 100;
const touch = async () => page.mouse.move(100, (at += 10));
// What the page asked for before this question was seen when it is answered.
const after = async (minutes) => {
  for (let minute = 0; minute < minutes; minute += 1) await page.clock.runFor(MINUTE);
  await page.evaluate(() => fetch("/api/v1/me"));
  return renewals;
};

await touch();
check((await after(25)) === 2, `while somebody is there it is renewed every ten minutes, not ${renewals} times in 25`);
await touch();
check((await after(60)) === 5, `a page that nobody touches keeps it for half an hour, but asked ${renewals} times`);
const back = page.waitForResponse("**/claims/renew");
await touch();
check((await back).ok() && (await after(0)) === 6, "whoever comes back keeps it at once");
check(!(await page.isVisible("#kept")), "nothing is wrong");

// Behind other pages nothing of what moves counts.
const hidden = (hidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
await hidden(true);
const before = renewals;
for (let round = 0; round < 6; round += 1) {
  await touch();
  await after(10);
}
check(renewals - before === 3, `a hidden page keeps it for half an hour, but asked ${renewals - before} times`);

// Somebody else has taken it meanwhile: that is said.
const taken = await fetch(asked.url + "/api/v1/runs/r/claims/take", {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: `Bearer ${asked.other}` },
  body: JSON.stringify({ gate: "customer/s0", from: "val", reason: "she went home" }),
});
check(taken.ok, `it is taken over: ${taken.status}`);
await hidden(false);
await page.waitForSelector("#kept >> text=customer/s0 is not in your hands");
const last = renewals;
await touch();
check((await after(30)) === last, "what is not theirs is not asked for again");
await browser.close();
