// What the pages do by themselves: palette, confirmation, live events, playback, charts and the graph.
// Everything it shows of the home is set as text, never as markup.
"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function element(name, words = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = words;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function tell(words) {
  const toast = one("#toast");
  if (!toast) return;
  toast.textContent = words;
  setTimeout(() => { toast.textContent = ""; }, 6000);
}

// ---- confirmation: a dialog instead of the browser's own, which some embedders block ----

function confirming(form) {
  const dialog = one("#confirm");
  one("#confirm-words").textContent = form.dataset.confirm;
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = (yes) => { dialog.close(); resolve(yes); };
    one("button[value=yes]", dialog).onclick = () => answer(true);
    one("button[value=no]", dialog).onclick = () => answer(false);
    dialog.oncancel = () => resolve(false);
  });
}

document.addEventListener("htmx:confirm", (event) => {
  const form = event.detail.elt.closest("[data-confirm]");
  if (!form) return;
  event.preventDefault();
  confirming(form).then((yes) => { if (yes) event.detail.issueRequest(true); });
});
document.addEventListener("htmx:responseError", (event) => tell(`the service answered ${event.detail.xhr.status}`));
document.addEventListener("htmx:sendError", () => tell("the service does not answer"));
document.addEventListener("htmx:afterSwap", (event) => {
  const target = event.detail.target;
  if (target.id === "plan" || target.id === "why") target.scrollIntoView({ block: "nearest" });
});

// ---- command palette ----

function palette() {
  const dialog = one("#palette"), input = one("#palette-input"), list = one("#palette-list");
  if (!dialog) return;
  let found = [], chosen = 0, actions = null;
  const pages = all("nav a").map((link) => ({ words: link.textContent, to: link.getAttribute("href") }));

  async function more() {
    if (actions) return;
    actions = [];
    try {
      const answer = await fetch("/actions");
      if (answer.ok) {
        actions = (await answer.json()).actions.flatMap((action) => [
          { words: `Call ${action.name}`, to: `/ui/actions#${action.name}` },
          { words: `Unit ${action.unit}`, to: `/ui/units/${action.unit}` },
        ]);
      }
    } catch { /* the pages are enough */ }
    show();
  }
  function show() {
    const wanted = input.value.toLowerCase().split(/\s+/);
    const known = new Map([...pages, ...(actions || [])].map((item) => [item.words, item]));
    found = [...known.values()].filter((item) => wanted.every((word) => item.words.toLowerCase().includes(word)));
    chosen = Math.max(0, Math.min(chosen, found.length - 1));
    list.replaceChildren(...found.map((item, index) => {
      const line = element("li", item.words, { role: "option", id: `palette-${index}`, "aria-selected": String(index === chosen) });
      line.onclick = () => go(item);
      return line;
    }));
    if (found.length) input.setAttribute("aria-activedescendant", `palette-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
    one("[aria-selected=true]", list)?.scrollIntoView({ block: "nearest" });
  }
  function go(item) { if (item) location.assign(item.to); dialog.close(); }
  function open() { input.value = ""; chosen = 0; show(); dialog.showModal(); input.focus(); more(); }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); }
  });
  one("#palette-open")?.addEventListener("click", open);
  input.addEventListener("input", () => { chosen = 0; show(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { chosen += 1; show(); event.preventDefault(); }
    if (event.key === "ArrowUp") { chosen -= 1; show(); event.preventDefault(); }
    if (event.key === "Enter") { go(found[chosen]); event.preventDefault(); }
  });
}

// ---- live events ----

const BAD = [".denied", ".failed", ".exhausted", ".revoked", ".lagged"];
const MOST_ROWS = 500;

function row(record) {
  const event = record.event, line = element("tr");
  if (BAD.some((end) => event.type.endsWith(end))) line.className = "bad";
  const subject = (event.subject || "").replace(/^sha256:(.{12}).*/, "$1");
  line.append(
    element("td", record.seq, { class: "number" }),
    element("td", event.time.slice(0, 19).replace("T", " "), { class: "time" }),
    element("td", event.type), element("td", subject, { class: "wide" }),
  );
  const run = element("td");
  if (event.correlationid) run.append(element("a", "episode", { href: `/ui/episodes/${encodeURIComponent(event.correlationid)}` }));
  line.append(run);
  return line;
}

function follow() {
  const place = one("#follow"), rows = one("#rows"), state = one("#live"), button = one("#pause");
  if (!place) return;
  let waiting = [], paused = false, planned = false;
  function draw() {
    planned = false;
    if (paused || !waiting.length) return;
    one(".none", rows)?.remove();
    rows.prepend(...waiting.splice(0).slice(-MOST_ROWS).reverse().map(row));
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  }
  // Frames together: a busy home tells thousands a second, a person reads what stands still.
  function soon() { if (!planned) { planned = true; setTimeout(() => requestAnimationFrame(draw), 200); } }
  // Frames without a name: EventSource hears named ones only from listeners of each name.
  const query = new URLSearchParams({ after: place.dataset.after, prefix: place.dataset.prefix, names: "none" });
  const source = new EventSource(`/events?${query}`);
  const hear = (message) => {
    waiting.push(JSON.parse(message.data));
    if (waiting.length > MOST_ROWS) waiting.shift();
    if (paused) state.textContent = `${waiting.length} more`;
    soon();
  };
  source.onopen = () => { state.textContent = "live"; };
  source.onerror = () => { state.textContent = "connecting…"; };
  source.onmessage = hear;
  button.onclick = () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on" : "Pause";
    if (!paused) { state.textContent = "live"; soon(); }
  };
  window.addEventListener("pagehide", () => source.close());
}

// ---- playback of an episode ----

function playback() {
  const place = one("#playback");
  if (!place) return;
  const seqs = place.dataset.seqs.split(" "), steps = all(".step", place), slider = one("#step"), model = one("#step-model");
  let asked = 0;
  async function show() {
    const index = Number(slider.value), mine = (asked += 1);
    steps.forEach((step, at) => { step.hidden = at !== index; });
    all("rect").forEach((bar) => bar.classList.toggle("now", bar.dataset.seq === seqs[index]));
    slider.setAttribute("aria-valuetext", `record ${seqs[index]}`);
    const answer = await fetch(`/state/${encodeURIComponent(model.value)}?at=${seqs[index]}`);
    const value = await answer.json();
    if (mine === asked) one("#step-state").textContent = JSON.stringify(value, null, 2).slice(0, 20000);
  }
  const move = (by) => { slider.value = String(Number(slider.value) + by); show(); };
  one("#step-back").onclick = () => move(-1);
  one("#step-on").onclick = () => move(1);
  slider.oninput = show;
  model.onchange = show;
  all("rect").forEach((bar) => { bar.addEventListener("click", () => { slider.value = String(seqs.indexOf(bar.dataset.seq)); show(); }); });
  show();
}

// ---- charts and the graph ----

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function chart() {
  const place = one("#chart"), data = one("#chart-data");
  if (!place || !window.uPlot) return;
  const series = JSON.parse(data.textContent);
  if (!series.time.length) { place.textContent = "No calls yet."; return; }
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line") } };
  new uPlot({
    width: Math.max(320, place.clientWidth - 20), height: 260,
    series: [
      {}, { label: "completed", stroke: colour("--accent"), width: 2 },
      { label: "failed", stroke: colour("--bad"), width: 2 }, { label: "denied", stroke: colour("--warn"), width: 2 },
    ],
    axes: [axis, axis], scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high)] } },
  }, [series.time, series.completed, series.failed, series.denied], place);
}

async function graph() {
  const place = one("#graph");
  if (!place) return;
  const answer = await fetch(place.dataset.state);
  if (!answer.ok) { place.textContent = "The graph cannot be read."; return; }
  const state = await answer.json();
  one("#graph-list").replaceChildren(...state.edges.map((edge) => element("li",
    `${edge.unit} ${edge.relation} ${edge.target}: seen ${edge.seen}×${edge.granted ? ", granted" : ""}${edge.refused ? `, refused ${edge.refused}×` : ""}`)));
  if (!window.cytoscape) return;
  const kinds = {  // shape and colour both tell the kind, so neither is needed to read it
    unit: ["round-rectangle", "--accent"], action: ["ellipse", "--good"], topic: ["diamond", "--warn"], place: ["hexagon", "--dim"], slot: ["rectangle", "--ink"],
  };
  const kind = (node) => kinds[node.data("kind")] || ["ellipse", "--dim"];
  cytoscape({
    container: place,
    elements: [
      ...state.nodes.map((node) => ({ data: { id: node.id, words: node.name || `${node.id} ${node.version}`, kind: node.kind } })),
      ...state.edges.map((edge, index) => ({ data: { id: `edge ${index}`, source: edge.unit, target: edge.to, words: edge.relation,
        line: edge.seen ? "solid" : "dashed", tone: edge.refused ? colour("--bad") : colour("--dim") } })),
    ],
    style: [
      { selector: "node", style: { label: "data(words)", color: colour("--ink"), "background-color": (node) => colour(kind(node)[1]), "font-size": 15,
        "text-valign": "bottom", "text-margin-y": 4, "text-wrap": "wrap", "text-max-width": 220, shape: (node) => kind(node)[0], width: 26, height: 26 } },
      { selector: "edge", style: { label: "data(words)", "font-size": 12, color: colour("--dim"), "curve-style": "bezier",
        "text-background-color": colour("--card"), "text-background-opacity": 1, "text-background-padding": 2,
        "line-style": "data(line)", "line-color": "data(tone)", "target-arrow-color": "data(tone)", "target-arrow-shape": "triangle", width: 1.5 } },
    ],
    layout: { name: "cose", animate: false, padding: 30, nodeDimensionsIncludeLabels: true, idealEdgeLength: () => 50, componentSpacing: 60 },
    maxZoom: 1.4,
  });
}

// ---- signing in with the link that `remit serve` prints: the token is after #, so it never is in a log ----

async function signing() {
  const form = one("#login");
  if (!form || !location.hash.startsWith("#remit_")) return;
  one("input", form).value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  // Anybody can send such a link: who is signed in (and so not led back here) stays who they are, unless they say so.
  const known = await fetch("/ui/topology", { headers: { accept: "text/html" } });
  if (known.ok && !known.redirected) form.prepend(element("p", "You are signed in already. Sign in with the link's token?"));
  else form.submit();
}

palette();
follow();
playback();
chart();
graph();
signing();
