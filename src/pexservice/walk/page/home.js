"use strict";
// The page, live. It shows what /events tells, and takes steps without leaving; without this script its buttons still
// step, and the answer sends the browser back here.

const WHOLE = 300, ENDS = 96;  // A number of more digits is shown by its ends.
const SIZES = [12, 36, 120, Infinity];
const SECONDS = 60;            // What the plot shows.
const RETRY_MS = [1000, 2000, 5000];
const DEAF_MS = 40000;         // The service says something every 15 s.
const HIDDEN_MS = 60000;       // A browser has six connections for a site: a page that nobody sees gives its own back.

const byId = (id) => document.getElementById(id);
const main = document.querySelector("main");
const shown = { ...main.dataset, value: byId("value").textContent };
for (const name of ["sequence", "position", "digits"]) shown[name] = Number(shown[name]);
shown.of = shown.position;
const still = matchMedia("(prefers-reduced-motion: reduce)");

// The state.

function show(state) {
  Object.assign(shown, state);
  document.title = `F(${shown.position}) \u00b7 pexservice`;
  for (const id of ["position", "sequence"]) byId(id).textContent = grouped(shown[id]);
  if (!state.value) return;
  shown.of = shown.position;  // The digits go with this index, and stay with it until those of another come.
  byId("index").textContent = grouped(shown.of);
  const digits = shown.digits;
  byId("digits").textContent = digits === 1 ? "1 digit" : `${grouped(digits)} digits`;
  const parts = [];
  if (digits <= WHOLE) parts.push(...spans(shown.value, digits));
  else {
    const gap = document.createElement("em");
    const from = digits % 3;  // So that both ends are cut between groups.
    parts.push(...spans(shown.value.slice(0, ENDS + from), ENDS + from), gap, ...spans(shown.value.slice(-ENDS), ENDS));
    gap.textContent = `\u2026 ${grouped(digits - 2 * ENDS - from)} more digits \u2026`;
  }
  const value = byId("value");
  value.replaceChildren(...parts);
  value.dataset.size = SIZES.findIndex((most) => digits <= most);
}

function spans(text, digits) {
  const made = [];
  for (let at = 0, end = digits % 3 || 3; at < digits; at = end, end += 3) {
    const span = document.createElement("span");
    span.textContent = text.slice(at, end);
    if (at) made.push(document.createElement("wbr"));
    made.push(span);
  }
  return made;
}

function grouped(number) {
  return number.toLocaleString("en");
}

// The stream.

let source = null, failures = 0, heardMs = 0, retrying = 0, hiding = 0;

function watch() {
  clearTimeout(retrying);
  source?.close();
  source = new EventSource("events");
  heardMs = performance.now();
  source.onopen = heard;
  source.onmessage = (event) => { heard(); show(JSON.parse(event.data)); };
  source.addEventListener("service", (event) => { heard(); tell(JSON.parse(event.data)); });
  source.onerror = () => lose(source.readyState === EventSource.CLOSED);
}

function heard() {
  heardMs = performance.now();
  if (failures) {
    say("Connected again.");
    begin();
  }
  failures = 0;
  main.classList.remove("lost");
}

function lose(isClosed) {
  if (!failures) say("The connection is lost. This page tries to get it back.");
  main.classList.add("lost");
  byId("health").textContent = "Not known while it is away";
  mark("lost", "Reconnecting\u2026");
  // After an answer that is none, such as a proxy's, a browser does not ask again by itself.
  if (isClosed) retrying = setTimeout(watch, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  failures += 1;
}

function rest() {
  clearTimeout(retrying);
  source?.close();
  source = null;
}

function tell(service) {
  const health = byId("health");
  health.textContent = service.ready ? "Takes steps" : `Takes no steps: ${service.title}`;
  health.classList.toggle("ill", !service.ready);
  byId("processes").textContent = service.processes === 1 ? "1 process serves" : `${service.processes} processes serve`;
  mark(service.ready ? "live" : "ill", service.ready ? "Live" : service.title);
  if (service.commit_ms !== null) byId("commit").replaceChildren(...measured(service.commit_ms));
}

function measured(ms) {
  const [number, name] = ms >= 1000 ? [ms / 1000, "s"] : ms >= 1 ? [ms, "ms"] : [ms * 1000, "\u00b5s"];
  const unit = document.createElement("small");
  unit.textContent = ` ${name}`;
  return [String(Number(number.toPrecision(3))), unit];
}

function mark(state, text) {
  const link = byId("link");
  if (link.className !== state) link.className = state;
  if (link.textContent !== text) link.textContent = text;
}

function say(text) {
  byId("message").textContent = text;
}

// The plot: a sample a second of how far the sequence came, and gaps where nobody knows.

let samples = [], before = null;

function begin() {
  before = null;
}

function sample() {
  const nowMs = performance.now();
  if (source && nowMs - heardMs > DEAF_MS) {
    lose(false);
    watch();
  }
  const rate = before && !failures && source ? (shown.sequence - before.sequence) * 1000 / (nowMs - before.ms) : null;
  before = failures || !source ? null : { sequence: shown.sequence, ms: nowMs };
  samples = [...samples, rate === null ? null : Math.max(0, rate)].slice(-SECONDS - 1);
  draw();
}

function draw() {
  const known = samples.filter((rate) => rate !== null);
  const most = Math.max(1, ...known);
  let line = "", area = "", from = null;
  samples.forEach((rate, index) => {
    if (rate === null) { from = null; return; }
    const x = SECONDS - samples.length + index, y = (100 - 92 * rate / most).toFixed(2);
    line += `${from === null ? "M" : "L"}${x} ${y}`;
    area += from === null ? `M${x} 100V${y}` : `L${x} ${y}`;
    from = x;
    if (samples[index + 1] === undefined || samples[index + 1] === null) area += `V100Z`;
  });
  const plot = byId("plot");
  plot.querySelector(".line").setAttribute("d", line);
  plot.querySelector(".area").setAttribute("d", area);
  const now = samples.at(-1);
  byId("rate").textContent = now === null || now === undefined ? "\u2013" : rounded(now);
  if (most > 1 || known.some(Boolean)) {
    const peak = rounded(Math.max(...known));
    byId("peak").textContent = `peak ${peak}`;
    plot.setAttribute("aria-label", `Steps a second over the last minute: ${byId("rate").textContent} now, ${peak} at most.`);
  }
  if (!still.matches) {
    plot.firstElementChild.animate([{ transform: "translateX(1px)" }, { transform: "none" }], 1000);
  }
}

function rounded(rate) {
  return grouped(rate >= 10 ? Math.round(rate) : Number(rate.toFixed(1)));
}

// The buttons. What is asked has a key, so it can be asked again when no answer comes, and is taken once.

const AGAIN_MS = [300, 1000, 2000, 4000];
let token = "";

async function ask(url, headers) {
  for (const ms of AGAIN_MS) {
    try {
      return await fetch(url, { method: "POST", headers, cache: "no-store" });
    } catch {
      say("No answer came. Asking again\u2026");
      await new Promise((done) => { setTimeout(done, ms); });
    }
  }
  return fetch(url, { method: "POST", headers, cache: "no-store" });
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function step(form) {
  const name = new URL(form.action).pathname.split("/").at(-1);
  const headers = { Prefer: "return=minimal", "Idempotency-Key": newKey() };
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await ask(form.action, headers);
  } catch {
    say(`No answer came: ${name} was taken or not. The sequence tells, once this page is connected.`);
    return;
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ title: answer.statusText }));
    say(`Not taken (${answer.status}): ${problem.detail || problem.title}`);
    return;
  }
  const at = (field) => Number(answer.headers.get(field));
  say(`${{ next: "One up", previous: "One down", reset: "Reset" }[name]}: position ${grouped(at("Pex-Position"))}.`);
  if (at("Pex-Sequence") > shown.sequence) show({ sequence: at("Pex-Sequence"), position: at("Pex-Position") });
}

async function copy() {
  let digits = shown.value, position = shown.of;
  if (position !== shown.position || digits.length !== shown.digits) {
    const answer = await fetch("current", { headers: { Accept: "text/plain" } });
    if (!answer.ok) throw new Error(answer.statusText);
    [digits, position] = [(await answer.text()).trim(), Number(answer.headers.get("Pex-Position"))];
  }
  if (navigator.clipboard) await navigator.clipboard.writeText(digits);
  else copyAsOfOld(digits);
  say(`Copied F(${grouped(position)}).`);
}

function copyAsOfOld(text) {  // Over plain HTTP, but to this machine itself, there is no clipboard object.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("refused");
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.id === "access") return;
  step(event.target);
  const reset = byId("reset");
  if (reset.contains(event.target)) {
    reset.open = false;
    reset.firstElementChild.focus();
  }
});
byId("copy").hidden = false;
byId("copy").addEventListener("click", () => {
  copy().catch((error) => say(`Could not copy: ${error.message}`));
});
byId("token")?.addEventListener("input", (event) => {
  token = event.target.value.trim();
  for (const each of document.querySelectorAll("fieldset")) each.disabled = !token;
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(rest, HIDDEN_MS);
  else if (!source) watch();
});
addEventListener("pagehide", rest);
addEventListener("pageshow", (event) => { if (event.persisted) watch(); });

document.documentElement.classList.add("scripted");
if (shown.digits <= WHOLE) show({ value: shown.value });
watch();
sample();
setInterval(sample, 1000);
