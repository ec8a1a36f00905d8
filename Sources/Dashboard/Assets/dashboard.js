// The page: takes the castle's state off the stream and hands it to the map, the arrows and the details.

import { el, set, text } from "./dom.js";
import { drawMap } from "./map.js";
import { drawArrows } from "./arrows.js";
import { Details } from "./details.js";

const map = document.getElementById("map");
const details = new Details(document.getElementById("details"), choose);
let state = null;
let chosen = decodeURIComponent(location.hash.slice(1)) || null;
let connected = false;

function choose(part) {
  chosen = part;
  history.replaceState(null, "", part ? `#${encodeURIComponent(part)}` : location.pathname + location.search);
  draw();
}

function draw() {
  if (!state) return;
  const hasParts = (state.loadBalancers ?? []).length + (state.services ?? []).length + (state.databases ?? []).length
    + (state.caches ?? []).length + (state.buckets ?? []).length + (state.secrets ?? []).length > 0;
  set(map, "hidden", !hasParts);
  drawEmpty(!hasParts);
  drawHeader();
  if (hasParts) {
    drawMap(map, state, chosen, { choose, kill });
    drawArrows(map, state);
  }
  details.show(chosen, state);
  set(document.body, "data-ready", true);
}

function drawHeader() {
  const stack = (state.stacks ?? [])[0];
  text(document.getElementById("title"), stack ? stack.name : "Castle");
  document.title = stack ? `${stack.name} · Castle` : "Castle";
  const looked = state.parts.filter((part) => part.health !== "unknown" && part.kind !== "task");
  const count = (health) => looked.filter((part) => part.health === health).length;
  const summary = document.getElementById("summary");
  const failed = count("failed"), degraded = count("degraded"), starting = count("starting");
  let health = "healthy", words = "Everything is healthy";
  if (!connected) [health, words] = ["failed", "The castle does not answer; trying again…"];
  else if (failed) [health, words] = ["failed", `${failed} ${failed === 1 ? "part has" : "parts have"} failed`];
  else if (degraded) [health, words] = ["degraded", `${degraded} ${degraded === 1 ? "part is" : "parts are"} degraded`];
  else if (starting) [health, words] = ["starting", `${starting} ${starting === 1 ? "part is" : "parts are"} starting`];
  else if (looked.length === 0) words = "Nothing runs yet";
  text(summary, words);
  set(summary, "data-health", health);
  const facts = document.getElementById("facts");
  const rows = [["Endpoint", state.castle.endpoint], ["Region", state.castle.region], ["Account", state.castle.account]];
  const key = JSON.stringify(rows);
  if (facts.dataset.key !== key) {
    facts.dataset.key = key;
    facts.replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }
  const problems = document.getElementById("problems");
  const key2 = JSON.stringify(state.errors);
  if (problems.dataset.key !== key2) {
    problems.dataset.key = key2;
    problems.replaceChildren(
      ...state.errors.map((problem) => el("p", {}, el("strong", {}, `${problem.section}: `), problem.message)));
    problems.hidden = state.errors.length === 0;
  }
}

function drawEmpty(isEmpty) {
  const empty = document.getElementById("empty");
  empty.hidden = !isEmpty;
  if (!isEmpty || empty.childElementCount) return;
  empty.append(
    el("h2", {}, "An empty cloud"),
    el("p", {}, "Nothing runs here yet. Whatever is made through the AWS APIs appears on this page at once."),
    el("pre", {}, `eval "$(castle env)"\naws s3 mb s3://first\n\ncastle up`));
}

/** Ends a task or a server as a crash would. */
async function kill(query, button) {
  button.disabled = true;
  try {
    const answer = await fetch(`/_castle/kill?${new URLSearchParams(query)}`, { method: "POST" });
    if (!answer.ok) {
      const body = await answer.json().catch(() => ({ message: `The castle answered ${answer.status}.` }));
      details.say(body.message);
    }
  } catch {
    details.say("The castle does not answer.");
  } finally {
    button.disabled = false;
  }
}
details.kill = kill;

const stream = new EventSource("/_castle/events");
stream.onmessage = (event) => {
  state = JSON.parse(event.data);
  state.skew = Date.now() - state.time;
  connected = true;
  draw();
};
stream.onerror = () => {
  connected = false;
  if (state) drawHeader();
};

addEventListener("resize", () => state && drawArrows(map, state));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen) choose(null);
});
addEventListener("hashchange", () => {
  chosen = decodeURIComponent(location.hash.slice(1)) || null;
  draw();
});
