// Keeps a page of a run up to date: parts are HTML from the server, sites are one letter each.
// Without this script every page works; it has to be loaded again then.
"use strict";
(() => {
  const stateWords = { w: "waiting", r: "restoring", o: "returned", d: "degraded", q: "quarantined", u: "undoing", n: "undone", x: "excluded", l: "released" };
  // The worst that is in a cell of many sites is what it shows.
  const worst = "qdunrxlwo";

  // Puts new HTML in place and keeps what a person was at: the focus, and what was folded out.
  const put = (part, html) => {
    if (part.innerHTML === html) return;
    const active = document.activeElement;
    const focus = active && part.contains(active) ? active.id || active.getAttribute("href") : null;
    const open = [...part.querySelectorAll("details[open]")].map((details) => details.id);
    part.innerHTML = html;
    for (const id of open) {
      const details = id && document.getElementById(id);
      if (details) details.open = true;
    }
    if (focus) {
      const again = document.getElementById(focus) || [...part.querySelectorAll("a")].find((a) => a.getAttribute("href") === focus);
      if (again) again.focus({ preventScroll: true });
    }
  };

  const sites = (grid) => {
    const per = Number(grid.dataset.per);
    let letters = [];
    const cell = (at) => {
      const stretch = letters.slice(at * per, (at + 1) * per);
      return per === 1 ? stretch[0] : [...worst].find((letter) => stretch.includes(letter));
    };
    const draw = (from, to) => {
      for (let at = Math.floor(from / per); at * per < to && at < grid.children.length; at++) {
        const letter = cell(at) || "w";
        if (grid.children[at].className !== letter) grid.children[at].className = letter;
      }
    };
    grid.addEventListener("click", (event) => {
      const at = [...grid.children].indexOf(event.target);
      if (at >= 0) location.href = `${grid.dataset.at}?from=${at * per}&limit=${per}`;
    });
    grid.addEventListener("mouseover", (event) => {
      const at = [...grid.children].indexOf(event.target);
      if (at < 0 || !letters.length) return;
      const last = Math.min((at + 1) * per, letters.length);
      event.target.title = per === 1 ? `site ${at + 1}: ${stateWords[letters[at]]}` : `sites ${at * per + 1} to ${last}, the worst: ${stateWords[cell(at)]}`;
    });
    return {
      all(packed) {
        letters = [];
        for (const [, letter, count] of packed.matchAll(/([a-z])(\d*)/g)) {
          for (let n = Number(count || 1); n > 0; n--) letters.push(letter);
        }
        draw(0, letters.length);
      },
      some(changes) {
        for (const [from, now] of changes) {
          for (let n = 0; n < now.length; n++) letters[from + n] = now[n];
          draw(from, from + now.length);
        }
      },
    };
  };

  // What is in somebody's hands stays there while they are at its page: it is asked for thrice as often as it would have to be.
  // A page that nobody has touched for as long as a claim lasts, or that lay hidden for that long, does not keep it.
  const keep = (form) => {
    const [every, longest] = [600_000, 1_800_000];
    const told = document.getElementById("kept");
    const tell = (text) => {
      told.textContent = text;
      told.hidden = text === "";
    };
    let touched = Date.now();
    const idle = () => Date.now() - touched >= longest;
    const ask = async () => {
      const body = JSON.stringify({ gate: form.elements.gate.value });
      const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body };
      const answer = await fetch(form.dataset.renew, asked).catch(() => null);
      if (answer && answer.ok) return tell("");
      if (!answer || answer.status >= 500 || answer.status === 429) return tell("It could not be kept in your hands for longer; that is tried again.");
      // It is not theirs any more, or they are not known: asking again changes nothing.
      clearInterval(timer);
      touched = Infinity;
      const { fact = "the daemon refuses it", hint = "load the page again" } = await answer.json().catch(() => ({}));
      tell(`It is not kept in your hands any longer: ${fact}; ${hint}.`);
    };
    const timer = setInterval(() => idle() || ask(), every);
    const touch = () => {
      if (document.hidden || touched === Infinity) return;
      const back = idle();
      touched = Date.now();
      if (back) ask();
    };
    for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) document.addEventListener(kind, touch, { passive: true });
    document.addEventListener("visibilitychange", touch);
  };
  const renew = document.querySelector("form[data-renew]");
  if (renew) keep(renew);

  const live = document.querySelector("[data-live]");
  if (!live) return;
  const link = document.getElementById("link");
  const grid = document.getElementById("grid");
  const shown = grid && sites(grid);
  const source = new EventSource(live.dataset.live);
  source.addEventListener("part", (event) => {
    const { id, html } = JSON.parse(event.data);
    const part = document.getElementById(id);
    if (part) put(part, html);
  });
  if (shown) {
    source.addEventListener("grid", (event) => shown.all(JSON.parse(event.data).grid));
    source.addEventListener("sites", (event) => shown.some(JSON.parse(event.data).changes));
  }
  const told = (text, lost) => {
    if (link && link.textContent !== text) link.textContent = text;
    if (link) link.classList.toggle("lost", lost);
  };
  source.addEventListener("open", () => told("live", false));
  // A stream that is refused for good says not why; who asks is told by another answer.
  source.addEventListener("error", async () => {
    told("not live: the daemon cannot be reached; what is shown may be old", true);
    if (source.readyState !== EventSource.CLOSED) return;
    const me = await fetch("/api/v1/me").catch(() => null);
    if (!me || me.status !== 401) return told("not live any more: load the page again", true);
    told("not live: your sign-in has ended. ", true);
    const again = document.createElement("a");
    again.href = `/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`;
    again.textContent = "Sign in again";
    if (link) link.append(again);
  });
})();
