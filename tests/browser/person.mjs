// What the scripts that drive the daemon's pages have in common: people with a browser each, and looks at what they see.
// Whatever is not as it should be ends a script with a message.
import fs from "node:fs";
import { createRequire } from "node:module";

export const asked = JSON.parse(process.argv[2]);
const require = createRequire(asked.tools + "/");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const check = (holds, what) => {
  if (!holds) throw new Error(what);
};
export const browser = await chromium.launch({ executablePath: asked.browser, args: ["--no-sandbox"] });

// A person: a browser of their own, signed in; what the console says counts as a fault.
export const person = async (token, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const faults = [];
  let refusals = 0;
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    // What a browser says of an answer that is a refusal; asked for on purpose below.
    if (/status of (4\d\d)/.test(message.text())) refusals += 1;
    else faults.push(message.text());
  });
  await page.goto(asked.url + "/queue");
  check(page.url().includes("/sign-in"), "whoever is not known is asked who they are");
  await page.fill("#token", token);
  await page.click("main button[type=submit]");
  await page.waitForURL("**/queue");
  const away = async () => {
    check(faults.length === 0, "the console says: " + faults.join(" | "));
    await context.close();
    return refusals;
  };
  return { page, away };
};

// No serious fault of accessibility, nothing wider than the window, and a picture for whoever wants to look.
export const inspect = async (page, name) => {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setBypassCSP", { enabled: true });
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  await session.detach();
  const serious = found.filter((one) => ["serious", "critical"].includes(one.impact));
  check(serious.length === 0, `${name}: ` + serious.map((one) => `${one.id} at ${one.nodes[0].target}`).join("; "));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  check(!wide, `${name} is wider than the window`);
  if (asked.shots) await page.screenshot({ path: `${asked.shots}/${name}.png`, fullPage: true });
};

export const text = (page, selector) => page.textContent(selector);
export const shows = async (page, selector, words) => {
  // Asked again and again from here: the page's own policy forbids it to run what it is told.
  const until = Date.now() + 60_000;
  for (;;) {
    const seen = (await page.locator(selector).textContent()) ?? "";
    if (seen.includes(words)) return;
    check(Date.now() < until, `${selector} never shows "${words}", but "${seen.slice(0, 300)}"`);
    await page.waitForTimeout(50);
  }
};
