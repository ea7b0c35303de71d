// Signs in by a provider of identities in a headless browser, as people would. Called by tests/server/browser.rs with the
// daemon's address; whatever is not as it should be ends it with a message.
import { asked, browser, check } from "./person.mjs";

// Asks for a page of the daemon, and signs in as somebody at the provider's own pages.
const arrive = async (name) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(asked.url + "/queue?a=1");
  check(page.url().includes("/sign-in?to="), "whoever is not known is asked who they are");
  if (asked.shots) await page.screenshot({ path: `${asked.shots}/sign_in.png`, fullPage: true });
  await page.click("text=Sign in with 127.0.0.1");
  await page.fill("input[name=login]", name);
  await page.fill("input[name=password]", "any");
  await page.click("button[type=submit]");
  await page.click("button:has-text('Continue')");
  return page;
};

const mia = await arrive("mia");
await mia.waitForURL("**/queue?a=1");
check((await mia.textContent("header")).includes("mia, operator"), "she is known, as what her group may do");
check(!mia.url().includes("code="), "nothing of the sign-in stays in the address");
await mia.click("text=Sign out");
await mia.waitForURL("**/sign-in");
await mia.goto(asked.url + "/runs");
check(mia.url().includes("/sign-in"), "whoever has signed out is not known any more");

const guest = await arrive("gus");
await guest.waitForSelector("[role=alert] >> text=oidc-group");
if (asked.shots) await guest.screenshot({ path: `${asked.shots}/sign_in_refused.png`, fullPage: true });
await guest.goto(asked.url + "/runs");
check(guest.url().includes("/sign-in"), "whoever is in no group is not let in");
await browser.close();
