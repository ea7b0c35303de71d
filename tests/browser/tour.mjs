// Looks at every page of a run of many sites in a headless browser, while it goes on. Called by tests/server/browser.rs;
// whatever is not as it should be ends it with a message. Prints how long each page took to show something.
import { asked, browser, check, inspect, person, shows } from "./person.mjs";

const { page, away } = await person(asked.admin);
const run = asked.url + "/runs/r";

// The first time that something of a page is drawn, from when it was asked for.
const painted = async () => {
  for (;;) {
    const first = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    if (first !== undefined) return Math.round(first);
    await page.waitForTimeout(20);
  }
};

const looked = async (name, url, words) => {
  await page.goto(url);
  await shows(page, "main", words);
  const first = await painted();
  console.log(`${name}: first paint after ${first} ms`);
  await inspect(page, `${asked.sites}_${name}`);
  return first;
};

const first = await looked("run", run, "Sites");
check((await page.locator("#grid i").count()) > 0, "there is a grid");
await looked("runs", asked.url + "/runs", `${asked.sites}`);
await looked("sites", run + "/sites", "s0");
await looked("sites_quarantined", run + "/sites?state=quarantined", "s3");
await looked("site", run + "/sites/s3", "exec.");
await looked("history", run + "/sites/s3/history", "started");
await looked("log", run + "/log?unit=look%2Fs3", "No such file");
await looked("queue", run + "/queue", "validate");
await looked("desk", run + "/desk", "Take the next one");
await looked("act", run + "/act?verb=cancel", "Cancel");
await looked("amend", run + "/amend", "Change");
await looked("launch", asked.url + "/launch", "Plan a run");
await looked("drills", asked.url + "/drills", "There is no drill yet");
await looked("audit", asked.url + "/audit", "Who did what");
await looked("guide", asked.url + "/guide", "Guide");
// Its own policy lets nothing run in it.
await page.goto(run + "/report");
if (asked.shots) await page.screenshot({ path: `${asked.shots}/${asked.sites}_report.png` });

// In the dark, and on a phone.
for (const [name, options] of [
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 390, height: 844 } }],
]) {
  const other = await person(asked.admin, options);
  await other.page.goto(run);
  await shows(other.page, "main", "Sites");
  await inspect(other.page, `${asked.sites}_run_${name}`);
  check((await other.away()) === 0, "nothing was refused");
}
check((await away()) === 0, "nothing was refused");
// On a machine that others load too a time proves little.
if (asked.timed) check(first < 1000, `the page of the run took ${first} ms`);
await browser.close();
