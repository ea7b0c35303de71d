// Drives the daemon's pages in a headless browser, as people would: launch, approve, validate, pause, retry.
// Called by tests/server/browser.rs with the address, tokens and a folder for screenshots; needs the tools that
// `cargo xtask test` provides. Whatever is not as it should be ends it with a message.
import fs from "node:fs";
import { asked, browser, check, inspect, person, shows, text } from "./person.mjs";

const decide = async (page, link, reason) => {
  await page.click(link);
  await page.fill("#reason", reason);
  await page.click("main button[type=submit]");
  await page.waitForSelector("main [role=status].card");
};

// The operator plans and launches.
const operator = await person(asked.operator);
await operator.page.click("nav >> text=Launch");
await inspect(operator.page, "launch");
await operator.page.selectOption("#runbook", "watched.yaml");
await operator.page.selectOption("#estate", "e.yaml");
await operator.page.selectOption("#sites", "s.csv");
await operator.page.click("text=Show the plan");
check((await text(operator.page, "h1")).includes("6 sites"), "the plan says how many sites it touches");
await inspect(operator.page, "plan");
await operator.page.fill("#count", "7");
await operator.page.click("main button[type=submit]");
check((await text(operator.page, "[role=alert]")).includes("the plan has 6 sites, not 7"), "a wrong number launches nothing");
await operator.page.fill("#count", "6");
await operator.page.fill("#name", "seen");
await operator.page.click("main button[type=submit]");
await operator.page.waitForURL("**/runs/seen");
const run = operator.page;
await shows(run, "#link", "live");

// An approver lets the second batch start; the operator's page shows what waits without being loaded again.
const approver = await person(asked.approver);
const approve = async (batch) => {
  await approver.page.goto(asked.url + "/runs/seen/queue");
  await approver.page.waitForSelector(`text=Approve ${batch}`);
  await inspect(approver.page, "queue");
  await approver.page.click(`text=Approve ${batch}`);
  await inspect(approver.page, "act");
  await approver.page.fill("#reason", "looked at the plan");
  await approver.page.click("main button[type=submit]");
  await approver.page.waitForURL("**/runs/seen");
};
// A validator passes the first site.
const validator = await person(asked.validator);
await shows(run, "#part-waits", "validate/s0");
await validator.page.goto(asked.url + "/runs/seen");
check(!(await validator.page.isVisible("text=Pause")), "a validator steers nothing");
// At the desk: the next thing, by keyboard; nothing passes before every box is ticked.
const desk = validator.page;
await desk.click("text=Desk: what is to be looked at");
await inspect(desk, "desk");
await desk.focus("text=Take the next one");
await desk.keyboard.press("Enter");
await desk.waitForURL("**/desk/work?gate=validate%2Fs0");
await inspect(desk, "work");
await desk.setViewportSize({ width: 390, height: 844 });
await inspect(desk, "work_phone");
await desk.goto(asked.url + "/runs/seen/desk");
await inspect(desk, "desk_phone");
check((await text(desk, "main")).includes("30 min left"), "the desk says what is in hand, and for how long");
await desk.setViewportSize({ width: 1280, height: 900 });
await approver.page.goto(asked.url + "/runs/seen/desk/work?gate=validate%2Fs0");
check((await text(approver.page, "main")).includes("Take it over from mia"), "another sees whose it is");
await inspect(approver.page, "work_of_another");
await desk.click("text=validate/s0");
await desk.fill("#to", "ben");
await desk.fill("#hand-note", "logged in, all there; the newest page is left");
await desk.click("button >> text=Hand it over");
await desk.waitForURL("**/runs/seen/desk");
await approver.page.reload();
await shows(approver.page, "main", "the newest page is left");
await inspect(approver.page, "work_handed_over");
await approver.page.fill("#pass-note", "all products are there");
await approver.page.click("text=Pass, and on to the next");
check(approver.page.url().includes("gate=validate"), "an open box passes nothing");
await approver.page.focus("#check-0");
await approver.page.keyboard.press("Space");
await approver.page.check("#check-1");
await approver.page.click("text=Pass, and on to the next");
await approver.page.waitForURL("**/runs/seen/desk");
check((await text(approver.page, "[role=status].card")).includes("validate/s0 has passed"), "what was done is said");
await shows(run, "#part-sites", "1returned");

// The second batch, with a site that fails; it is retried once its cause is gone.
await shows(run, "#part-waits", "batch-2");
check(!(await run.isVisible("text=Approve batch-2")), "who may not approve sees no button for it");
await approve("batch-2");
await shows(run, "#part-waits", "QUARANTINED");
check((await run.getAttribute("#grid i:nth-child(4)", "class")) === "q", "the grid shows the site that is out");
await inspect(run, "run");
await run.click("#grid i:nth-child(4)");
await run.waitForURL("**/runs/seen/sites/s3");
check((await text(run, "main")).includes("exec."), "the page of the site says why");
await inspect(run, "site");
await run.click("text=History");
check((await text(run, "tbody")).includes("site-ended"), "what happened to the site is told");
await inspect(run, "history");
await run.goBack();
await run.click("td a >> nth=1");
check((await text(run, "tbody")).includes("No such file"), "what the attempt did is told");
await inspect(run, "log");
await run.goBack();
fs.writeFileSync(asked.cause, "");
await decide(run, "text=Retry >> nth=0", "the cause is gone");
await shows(run, "#part-sites", "6returned");

// Lists by state; a run that is over offers nothing that cannot be done.
await run.goto(asked.url + "/runs/seen/sites?state=returned");
check((await run.locator("tbody tr").count()) === 6, "six sites are back");
await inspect(run, "sites");
await run.goto(asked.url + "/runs/seen");
await shows(run, "#part-head", "succeeded");
check(!(await run.isVisible("#part-head >> text=Pause")), "what is over cannot be paused");

// Another run is paused, goes on, and is cancelled by its name.
await run.goto(asked.url + "/launch");
await run.selectOption("#runbook", "paced.yaml");
await run.selectOption("#estate", "e.yaml");
await run.selectOption("#sites", "many.csv");
await run.click("text=Show the plan");
await run.fill("#count", "2000");
await run.fill("#name", "long");
await run.click("main button[type=submit]");
await run.waitForURL("**/runs/long");
await decide(run, "#part-head >> text=Pause", "to look");
await shows(run, "#part-head", "PAUSED");
check((await text(run, "#part-head")).includes("to look"), "the page says who paused and why");

// It is told to go by a changed runbook in what it has not begun; the difference comes first.
await run.click("#part-head >> text=Change");
await inspect(run, "amend");
const bring = async (changed) => {
  await run.setInputFiles("#runbook_file", { name: "paced.yaml", mimeType: "text/yaml", buffer: Buffer.from(changed) });
  await run.selectOption("#estate", "e.yaml");
  await run.selectOption("#sites", "many.csv");
  await run.click("text=Show what would change");
};
await bring(`${asked.changed}  lost: { needs: nothing, uses: noop@1 }\n`);
check((await text(run, "main")).includes("nothing"), "what is wrong with it is said");
check(!(await run.isVisible("text=Change the run")), "and nothing can be done with it");
await run.goto(asked.url + "/runs/long/amend");
await bring(asked.changed);
check((await text(run, "main")).includes("+ told: runs"), "the difference is shown");
await inspect(run, "amended");
await run.fill("#reason", "the customers are told as well");
await run.click("main button[type=submit]");
await run.waitForURL("**/runs/long");
await shows(run, "#part-steps", "told");
await decide(run, "#part-head >> text=Continue", "seen");
await shows(run, "#part-head", "running");
await run.click("#part-head >> text=Cancel");
await run.fill("#reason", "it was a trial");
await run.fill("#typed", "another");
await run.click("main button[type=submit]");
check((await text(run, "[role=alert]")).includes("not the run's name"), "another name cancels nothing");
check((await run.inputValue("#reason")) === "it was a trial", "what was written stays");
await run.fill("#typed", "long");
await run.click("main button[type=submit]");
await shows(run, "#part-head", "CANCELLED");

// A drill is started by hand and judged; the guide is there without a network.
await run.goto(asked.url + "/drills");
await inspect(run, "drills");
await run.click("text=nightly");
await inspect(run, "drill");
await run.click("text=Have it take place now");
const ended = Date.now() + 60_000;
for (;;) {
  await run.goto(asked.url + "/drills/nightly");
  if ((await run.locator("tbody tr").count()) === 1) break;
  check(Date.now() < ended, "the drill is never judged");
  await run.waitForTimeout(200);
}
check((await text(run, "tbody")).includes("good"), "the drill was good");
await inspect(run, "drill_judged");
await run.click("nav >> text=Guide");
await inspect(run, "guide");
await run.click("text=A first restore");
await inspect(run, "guide_page");
await run.goto(asked.url + "/guide/journal-held");
check((await text(run, "main")).includes("Cause"), "the guide knows the codes");

// By keyboard alone: the first stop leads past the places.
await run.goto(asked.url + "/runs");
await run.keyboard.press("Tab");
check((await run.evaluate(() => document.activeElement.textContent)) === "Skip to content", "the first stop is the way past");
await inspect(run, "runs");

// Who did what; in the dark and on a phone too.
const admin = await person(asked.admin, { colorScheme: "dark", viewport: { width: 390, height: 844 } });
await admin.page.click("nav >> text=Audit");
check((await text(admin.page, "main")).includes("POST /runs/seen/act/retry"), "the audit log knows of the retry");
await inspect(admin.page, "audit_phone");
for (const path of ["/runs", "/runs/seen", "/runs/seen/sites/s3", "/runs/long/act?verb=cancel", "/launch"]) {
  await admin.page.goto(asked.url + path);
  await inspect(admin.page, "phone" + path.replace(/[^a-z0-9]+/g, "_"));
}
await admin.page.goto(asked.url + "/runs/seen/report");
check((await text(admin.page, "h1")).length > 0, "the report is a page");
await admin.page.goBack();
await admin.page.click("text=Sign out");
await admin.page.waitForURL("**/sign-in");
await admin.page.goto(asked.url + "/runs");
check(admin.page.url().includes("/sign-in"), "whoever has signed out is not known any more");

// Whose sign-in ends while they look is told so, and led back to where they were.
const late = await person(asked.validator);
await late.page.route("**/runs/seen/live", async (route) => {
  await late.page.context().request.post(asked.url + "/sign-out", { headers: { Origin: asked.url } });
  await route.continue();
});
await late.page.goto(asked.url + "/runs/seen");
await late.page.waitForSelector("#link >> text=your sign-in has ended");
await inspect(late.page, "signed_out");
await late.page.click("#link a");
await late.page.waitForURL("**/sign-in?to=%2Fruns%2Fseen");
check((await late.away()) === 2, "the stream and the question who asks were refused");

check((await operator.away()) === 2, "two refusals were asked for, of the wrong number and the wrong name");
for (const other of [approver, validator, admin]) check((await other.away()) === 0, "nobody else was refused");
await browser.close();
