// The page of one tenant: asks the tenant every two seconds, shows what changed, and sends what is done here.
//
// What is shown comes ready from the tenant (views.py). Texts reach the document only as text: no HTML is ever parsed here.

const EVERY = 2000; // milliseconds between two looks
const EVERY_PAIR = 10000; // the same of a pair, whose look runs two commands of its instance
const PATIENCE = 15000; // milliseconds until a question counts as unanswered
const MORE_ENTRIES = 200;

const TAGS = new Set("p span strong em del code pre a ul ol li table thead tbody tr th td blockquote hr br time details summary".split(" "));
const FOCUSABLE = "a[href], button, summary, input, select, textarea";

const $ = (id) => document.getElementById(id);

// What the page knows: where it is, what it shows, and which answers are too old to be shown.
const now = {
  tenant: null, // its name, version and choices; null while the page is locked
  address: null, // the fragment that `route` was read from
  route: null,
  entries: MORE_ENTRIES, // how many are asked for
  shown: "", // the answer that is on the page
  form: {}, // the incident's values for the form of its fields
  latest: new Map(), // the entries by id
  shares: [], // the tags by which an entry goes to another tenant, with what their boxes and buttons say
  newest: 0, // the highest number of an entry
  turn: 0, // counts the looks: an answer to an earlier one comes too late
  timer: 0,
};

// ---- Building elements

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A node of the tenant's markup: a string, or an element of the few kinds there are.
function build(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = make(TAGS.has(node.tag) ? node.tag : "span", node.class ? { class: node.class } : {});
  if (node.tag === "a") pointTo(element, node.href ?? "");
  if (node.tag === "time") {
    element.dateTime = node.datetime;
    element.title = node.datetime;
    element.textContent = localTime(node.datetime);
    return element;
  }
  if (node.tag === "pre" || node.tag === "table") element.tabIndex = 0; // they scroll sideways, by keyboard too
  element.append(...(node.children ?? []).map(build));
  return element;
}

function pointTo(link, href) {
  if (/^https?:\/\//i.test(href)) {
    link.href = href;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  } else if (/^api\/entries\/[^/]+\/file$/.test(href)) {
    link.href = href;
    link.setAttribute("download", "");
  }
}

function localTime(iso) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const two = (number) => String(number).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone(-time.getTimezoneOffset(), two)}`;
}

function zone(minutes, two) {
  if (!minutes) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

const badge = ({ text, tone }) => make("li", { class: `badge ${tone}` }, text);

// ---- Showing lists without disturbing what stays

// Makes the children of `parent` be the items, in their order. What did not change is not touched; `fill` gives the new content
// of an item's element, or fills the element itself and gives nothing.
const shownItems = new WeakMap();

function lay(parent, items, create, fill) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map((item) => item.key));
  for (const [key, child] of present) if (!wanted.has(key)) child.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    let element = present.get(item.key);
    if (!element) {
      element = create(item);
      element.dataset.key = item.key;
    }
    const text = JSON.stringify(item);
    if (shownItems.get(element) !== text) {
      refill(element, () => fill(element, item));
      shownItems.set(element, text);
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
}

// Keeps the focus, and what is unfolded, at the same place of an element that is filled anew.
function refill(element, fill) {
  const at = [...element.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const unfolded = [...element.querySelectorAll("details")].map((details) => details.open);
  fill();
  [...element.querySelectorAll("details")].forEach((details, index) => (details.open = unfolded[index] ?? false));
  if (at >= 0 && !element.contains(document.activeElement)) element.querySelectorAll(FOCUSABLE)[at]?.focus({ preventScroll: true });
}

// Lets `change` change the document without moving what is being looked at, and without losing the focus when elements move.
function inPlace(change) {
  const focused = document.activeElement;
  const anchor = lookedAt(focused);
  const before = anchor?.getBoundingClientRect().top ?? 0;
  change();
  if (focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  if (anchor?.isConnected) window.scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
}

function lookedAt(focused) {
  const visible = (element) => element.getBoundingClientRect().bottom > 64 && element.getBoundingClientRect().top < innerHeight;
  if (focused !== document.body && focused.id !== "main" && $("main").contains(focused) && visible(focused)) return focused;
  if (scrollY < 8) return null; // who looks at the top wants to see what comes
  return [...document.querySelectorAll("main [data-key]")].find(visible) ?? null;
}

// ---- Talking to the tenant

async function ask(path, options = {}) {
  const headers = { "X-Local-XSOAR": "page", ...(options.headers ?? {}) };
  const answer = await fetch(`api/${path}`, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  const text = await answer.text();
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error("The tenant does not answer as it should; trying again.");
  }
  if (answer.ok) return { text, data };
  const refusal = new Error(typeof data.error === "string" ? data.error : "The tenant refused this.");
  refusal.status = answer.status;
  throw refusal;
}

const send = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const sendForm = (path, form) => ask(path, { method: "POST", body: form });

function sayLine(text, tone) {
  $("line").className = `line ${tone}`;
  setText($("line-text"), text);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let saidTimer = 0;
function say(text) {
  $("said").textContent = text;
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => ($("said").textContent = ""), 6000);
}

// ---- Where we are: #/?query=…&sort=…&page=…, #/mirroring/Customer, or #/incident/12, which the platform's own links call
// #/Details/12

const VIEWS = { list: showList, incident: showIncident, mirroring: showMirroring };

function readRoute() {
  const hash = location.hash;
  const incident = /^#\/(?:incident|Details)\/([^/?]+)$/.exec(hash);
  if (incident) return { view: "incident", id: decode(incident[1]) };
  const pair = /^#\/mirroring(?:\/([^/?]+))?$/.exec(hash);
  if (pair) return { view: "mirroring", instance: decode(pair[1] ?? "") };
  if (hash && !hash.startsWith("#/")) return now.route ?? { view: "list", query: new URLSearchParams() };
  return { view: "list", query: new URLSearchParams(hash.split("?")[1] ?? "") };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const listAddress = (query) => (query.size ? `#/?${query}` : "#/");
const incidentAddress = (id) => `#/incident/${encodeURIComponent(id)}`;
const pairAddress = (name) => `#/mirroring/${encodeURIComponent(name)}`;

function go() {
  const route = readRoute();
  if (location.hash === now.address || route === now.route) return;
  const first = now.route === null;
  now.address = location.hash;
  now.route = route;
  now.shown = "";
  now.entries = MORE_ENTRIES;
  now.newest = 0;
  for (const view of Object.keys(VIEWS)) $(`${view}-view`).hidden = route.view !== view;
  if (route.view === "mirroring") {
    $("pair").hidden = true;
    for (const id of ["mirroring-error", "compare-error"]) setText($(id), "");
  } else if (route.view === "list") {
    $("query").value = route.query.get("query") ?? "";
    $("sort").value = route.query.get("sort") ?? "created";
    $("back").href = listAddress(route.query);
  } else {
    $("incident").hidden = true;
    $("entries").replaceChildren();
    setText($("incident-error"), "");
    for (const id of ["edit", "close"]) fold(id);
    for (const id of ["edit", "close", "compose"]) empty($(id));
  }
  if (route.view !== "list") {
    fold("create");
    empty($("create"));
  }
  if (!first) {
    scrollTo(0, 0);
    $("main").focus({ preventScroll: true });
  }
  look();
}

// ---- Looking, again and again

async function look() {
  clearTimeout(now.timer);
  const turn = ++now.turn;
  if (!document.hidden && now.tenant) {
    try {
      const { text, data } = await ask(question(now.route));
      if (turn !== now.turn) return;
      sayLine("Live", "good");
      if (text !== now.shown) {
        inPlace(() => VIEWS[now.route.view](data));
        now.shown = text;
      }
    } catch (error) {
      if (turn !== now.turn) return;
      showTrouble(error);
    }
  }
  if (turn === now.turn && now.tenant) now.timer = setTimeout(look, now.route.view === "mirroring" ? EVERY_PAIR : EVERY);
}

function question(route) {
  if (route.view === "list") return `incidents?${route.query}`;
  if (route.view === "mirroring") return `mirroring?instance=${encodeURIComponent(route.instance)}`;
  return `incidents/${encodeURIComponent(route.id)}?entries=${now.entries}`;
}

function showTrouble(error) {
  if (error.status === 401) return lock(error.message);
  if (!error.status || error.status >= 500) return sayLine("No answer, trying again", "bad");
  sayLine("Live", "good");
  now.shown = "";
  if (now.route.view === "list") {
    setText($("query-error"), error.message);
    $("query").setAttribute("aria-invalid", "true");
  } else {
    setText($(`${now.route.view}-error`), error.message);
    $(now.route.view === "incident" ? "incident" : "pair").hidden = true;
  }
}

function lock(why) {
  now.tenant = null;
  now.turn++;
  for (const view of Object.keys(VIEWS)) $(`${view}-view`).hidden = true;
  $("gate").hidden = false;
  setText($("gate-text"), why);
  sayLine("Locked", "quiet");
}

// ---- The list

function showList(data) {
  const route = now.route;
  document.title = `${now.tenant.name} · XSOAR ${now.tenant.version}`;
  setText($("query-error"), "");
  $("query").removeAttribute("aria-invalid");
  setText($("count"), data.count);
  lay($("incidents"), data.incidents, () => make("li", { class: "incident" }), fillIncidentRow);
  const page = Number(route.query.get("page") ?? 0);
  $("pages").hidden = !data.earlier && !data.later;
  for (const [id, present, number] of [["earlier", data.earlier, page - 1], ["later", data.later, page + 1]]) {
    const query = new URLSearchParams(route.query);
    query.set("page", number);
    $(id).href = listAddress(query);
    $(id).hidden = !present;
  }
}

function fillIncidentRow(row, item) {
  row.replaceChildren(
    make("span", { class: `severity ${item.severity.tone}` }, item.severity.text),
    make(
      "div",
      { class: "what" },
      make("a", { href: incidentAddress(item.id) }, make("span", { class: "number" }, `#${item.id}`), ` ${item.name}`),
      make(
        "p",
        { class: "quiet" },
        ...[item.type, item.owner || "no owner"].filter(Boolean).map((text) => make("span", {}, text)),
        make("span", {}, "changed ", ...item.modified.map(build)),
      ),
    ),
    make("ul", { class: "badges", "aria-label": "State" }, ...item.badges.map(badge)),
  );
}

// ---- An incident

function showIncident(data) {
  document.title = `#${data.id} ${data.name} · ${now.tenant.name} · XSOAR ${now.tenant.version}`;
  setText($("incident-error"), "");
  $("incident").hidden = false;
  setText($("incident-id"), `#${data.id}`);
  setText($("incident-name"), data.name || "(no name)");
  layBadges($("incident-badges"), data.badges);
  showOneOf(data.closed ? $("reopen") : $("close-toggle"), data.closed ? $("close-toggle") : $("reopen"));
  if (data.closed) fold("close");
  now.form = data.form;
  fillEditForm();

  const details = JSON.stringify(data.details);
  if ($("details").dataset.shown !== details) {
    $("details").replaceChildren(...data.details.map(build));
    $("details").dataset.shown = details;
  }
  $("details-section").hidden = !data.details.length;

  const { state, rows, errors } = data.mirror;
  layBadges($("mirror-state"), state ? [state] : []);
  setText($("mirror-none"), data.mirror.none);
  $("mirror-none").hidden = rows.length + errors.length > 0;
  layRows($("mirror-errors"), errors);
  layRows($("mirror-rows"), rows);
  setText($("mirror-status"), data.mirror.status);
  $("mirror-more").hidden = !data.mirror.instance;
  $("mirror-more").href = pairAddress(data.mirror.instance);
  setText($("mirror-more"), `How ${data.mirror.instance} is doing`);
  layRows($("facts"), data.facts);
  layRows($("custom"), data.custom);
  layRows($("attachments"), data.attachments);
  layRows($("others"), data.others);
  $("custom-section").hidden = !data.custom.length;
  $("attachments-section").hidden = !data.attachments.length;

  setText($("why-not"), data.why_not);
  $("why-not").hidden = data.open;
  // A form that holds something typed stays, so that nothing is lost when the incident is closed elsewhere.
  $("compose").hidden = !data.open && !$("text").value;
  layOptions($("known-tags"), data.tags);
  now.shares = data.shares;
  lay($("shares"), data.shares, createShare, (item, { label }) => setText(item.querySelector("span"), label));
  $("shares").hidden = !data.shares.length;

  tellOfNew(data.entries);
  now.latest = new Map(data.entries.map((entry) => [entry.key, entry]));
  lay($("entries"), data.entries, createEntry, fillEntry);
  $("older").hidden = !data.older;
  setText($("older"), `Show older entries (${data.older})`);
}

// A box that gives the new entry the tag by which it goes to another tenant.
const createShare = ({ key }) =>
  make("li", {}, make("label", { class: "check" }, make("input", { type: "checkbox", name: "share", value: key }), make("span")));

// Shows a button in place of another; the focus moves along.
function showOneOf(button, other) {
  const hadFocus = document.activeElement === other;
  button.hidden = false;
  other.hidden = true;
  if (hadFocus) button.focus();
}

function layBadges(list, badges) {
  lay(list, badges.map((item, index) => ({ ...item, key: String(index) })), () => make("li"), (element, item) => {
    element.className = `badge ${item.tone}`;
    element.textContent = item.text;
  });
  list.hidden = !badges.length;
}

function layRows(list, rows) {
  lay(list, rows, () => make("div"), (element, row) => {
    const name = row.name && row.name !== row.label ? [make("code", { class: "api-name" }, row.name)] : [];
    element.replaceChildren(make("dt", {}, row.label, ...name), make("dd", {}, ...row.value.map(build)));
  });
  list.hidden = !rows.length;
}

function layOptions(list, values) {
  lay(list, values.map((value) => ({ key: value })), (item) => make("option", { value: item.key }), () => {});
}

// Tells by ear, too, that entries came by themselves: once for all that came together.
function tellOfNew(entries) {
  const newest = Math.max(0, ...entries.map((entry) => Number(entry.number)));
  const came = entries.filter((entry) => Number(entry.number) > now.newest).length;
  if (now.newest && came) say(came === 1 ? "1 new entry" : `${came} new entries`);
  now.newest = newest;
}

// What a person has not touched follows the incident; what was touched is left alone.
function fillEditForm() {
  for (const [name, value] of Object.entries(now.form)) {
    const input = $("edit").elements[name];
    if (name === "severity" && ![...input.options].some((option) => option.value === value))
      input.append(make("option", { value }, `Severity ${value}`));
    if (!$("edit").hidden && input.value !== input.dataset.base) continue;
    input.value = value;
    input.dataset.base = input.value;
  }
}

// ---- A pair

function showMirroring(data) {
  setText($("mirroring-error"), "");
  $("mirroring-none").hidden = data.names.length > 0;
  const { pair } = data;
  const title = pair ? `Mirroring: ${pair.name}` : "Mirroring";
  document.title = `${title} · ${now.tenant.name} · XSOAR ${now.tenant.version}`;
  setText($("mirroring-title"), title);
  lay($("pairs"), data.names.map((name) => ({ key: name, current: name === pair?.name })), () => make("a"), (link, { key, current }) => {
    link.href = pairAddress(key);
    link.textContent = key;
    link.toggleAttribute("aria-current", current);
  });
  $("pairs").hidden = data.names.length < 2;
  $("pair").hidden = !pair;
  layBadges($("pair-badges"), pair ? pair.badges : []);
  if (!pair) return;
  layRows($("pair-errors"), pair.errors);
  layRows($("pair-figures"), pair.figures);
  layRows($("pair-facts"), pair.facts);
  $("compared").replaceChildren(...(pair.comparison ? [`${pair.comparison.said} Compared `, ...pair.comparison.time.map(build), `. ${pair.comparison.beside}`] : ["Not compared yet."]));
  layCrossings($("drifts"), pair.comparison?.drifts ?? [], ({ badges, what, entries }) => [
    [...badges.map(badge)],
    what,
    entries ? [`entries ${entries}`] : [],
  ]);
  setText($("crossed"), pair.count);
  layCrossings($("crossings"), pair.crossings, ({ direction, outcome, what, time, lag }) => [
    [badge(direction), badge(outcome)],
    what,
    [...time.map(build), lag],
  ]);
}

// Lines that begin with an incident: `parts` gives an item's badges, what is said of it, and smaller pieces.
function layCrossings(list, items, parts) {
  lay(list, items, () => make("li", { class: "crossing" }), (line, item) => {
    const [badges, what, pieces] = parts(item);
    line.replaceChildren(
      make("ul", { class: "badges" }, ...badges),
      make(
        "div",
        { class: "what" },
        make("a", { href: `#/?${item.query}` }, make("span", { class: "number" }, `#${item.id}`)),
        ` ${what}`,
        make("p", { class: "quiet" }, ...pieces.filter(Boolean).map((piece) => make("span", {}, piece))),
      ),
    );
  });
  list.hidden = !items.length;
}

const comparePair = (repair) => () => send("mirroring", { instance: now.route.instance, repair });

// ---- Entries

function createEntry(entry) {
  const about = `entry ${entry.number}`;
  const tools = make(
    "div",
    { class: "tools" },
    make("button", { type: "button", "aria-label": `Tags of ${about}`, "aria-expanded": "false", on: { click: toggleTags } }, "Tags"),
    make("button", { type: "button", class: "note-toggle", on: { click: toggleNote } }),
    make("button", { type: "button", class: "edit-toggle", "aria-label": `Edit ${about}`, "aria-expanded": "false", on: { click: toggleText } }, "Edit"),
  );
  return make("li", { class: "entry" }, make("div", { class: "shown" }), tools, make("div", { class: "editor" }), make("p", { class: "error", role: "alert" }));
}

function fillEntry(element, entry) {
  element.classList.toggle("is-note", entry.note);
  element.classList.toggle("is-error", entry.badges.some((item) => item.tone === "bad"));
  element.querySelector(".shown").replaceChildren(
    make(
      "div",
      { class: "by" },
      make("strong", {}, entry.author),
      ...entry.created.map(build),
      make("span", { class: "number" }, `#${entry.number}`),
      ...(entry.badges.length ? [make("ul", { class: "badges", "aria-label": "Marks" }, ...entry.badges.map(badge))] : []),
    ),
    ...(entry.body.length ? [make("div", { class: "prose" }, ...entry.body.map(build))] : []),
    ...(entry.file ? [fileLink(entry.file)] : []),
    ...(entry.tags.length ? [make("ul", { class: "tags", "aria-label": "Tags" }, ...entry.tags.map((tag) => make("li", {}, tag)))] : []),
  );
  const note = element.querySelector(".note-toggle");
  const label = entry.note ? "Unmark note" : "Mark as note";
  setText(note, label);
  note.setAttribute("aria-label", `${label}: entry ${entry.number}`);
  element.querySelector(".edit-toggle").hidden = entry.text === null;
  if (element.querySelector(".removers")) fillTagButtons(element, entry);
}

function fileLink(file) {
  const link = make("a", {}, file.name);
  pointTo(link, file.href);
  return make("p", { class: "file" }, link, " ", make("span", { class: "quiet" }, file.size));
}

const entryOf = (inside) => now.latest.get(inside.closest(".entry").dataset.key);
const changeEntry = (entry, body) => send(`entries/${encodeURIComponent(entry.id)}`, body);

// Opens an editor under the entry, or closes the one that its button opened.
function toggleEditor(button, create) {
  const element = button.closest(".entry");
  const open = button.getAttribute("aria-expanded") === "true";
  const shut = () => {
    element.querySelector(".editor").replaceChildren();
    for (const other of element.querySelectorAll("[aria-expanded]")) other.setAttribute("aria-expanded", "false");
  };
  shut();
  if (open) return;
  const editor = create(() => {
    shut();
    button.focus();
  });
  editor.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    shut();
    button.focus();
  });
  element.querySelector(".editor").replaceChildren(editor);
  button.setAttribute("aria-expanded", "true");
  editor.querySelector("input, textarea").focus();
}

function toggleTags({ currentTarget }) {
  const entry = entryOf(currentTarget);
  toggleEditor(currentTarget, () => {
    const form = make(
      "form",
      { class: "panel", "aria-label": `Tags of entry ${entry.number}`, autocomplete: "off" },
      make("ul", { class: "tags removers", "aria-label": `Tags of entry ${entry.number} to remove` }),
      make("ul", { class: "tags sharers", "aria-label": `Sharing of entry ${entry.number}` }),
      make(
        "div",
        { class: "field wide" },
        make("label", { for: `tag-${entry.key}` }, "Add a tag"),
        make("input", { id: `tag-${entry.key}`, name: "add", list: "known-tags", required: "", autocapitalize: "off" }),
      ),
      make("div", { class: "buttons" }, make("button", { type: "submit", class: "primary" }, "Add tag")),
      make("p", { class: "error", role: "alert" }),
    );
    fillTagButtons(form, entry);
    onSubmit(form, (fields) => changeEntry(entry, { add: fields.get("add") }), () => {
      form.reset();
      form.elements.add.focus();
    });
    return form;
  });
}

// The buttons that take a tag away, and those that share the entry, as far as it is not shared yet.
function fillTagButtons(element, entry) {
  const removers = element.querySelector(".removers");
  const tags = entry.tags.map((tag) => ({ key: tag }));
  const remover = ({ key }) => tagButton(entry, { remove: key }, make("span", { class: "unseen" }, "Remove tag "), key, make("span", { "aria-hidden": "true" }, " ×"));
  lay(removers, tags, (item) => make("li", {}, remover(item)), () => {});
  removers.hidden = !tags.length;
  const sharers = element.querySelector(".sharers");
  const shares = now.shares.filter(({ key }) => !entry.tags.includes(key));
  lay(sharers, shares, ({ key, label }) => make("li", {}, tagButton(entry, { add: key }, label)), () => {});
  sharers.hidden = !shares.length;
}

function tagButton(entry, change, ...label) {
  const press = async ({ currentTarget }) => {
    const form = currentTarget.form;
    await act(form.querySelector(".error"), currentTarget, () => changeEntry(entry, change), () => form.elements.add.focus());
  };
  return make("button", { type: "button", on: { click: press } }, ...label);
}

function toggleText({ currentTarget }) {
  const entry = entryOf(currentTarget);
  toggleEditor(currentTarget, (shut) => {
    const area = make("textarea", { id: `text-${entry.key}`, name: "text", rows: "4", required: "" });
    area.value = entry.text ?? "";
    const form = make(
      "form",
      { class: "panel", "aria-label": `Edit entry ${entry.number}`, autocomplete: "off" },
      make("div", { class: "field wide" }, make("label", { for: `text-${entry.key}` }, "New text"), area),
      make(
        "div",
        { class: "buttons" },
        make("button", { type: "submit", class: "primary" }, "Save"),
        make("button", { type: "button", on: { click: shut } }, "Cancel"),
      ),
      make("p", { class: "error", role: "alert" }),
    );
    onSubmit(form, (fields) => changeEntry(entry, { text: fields.get("text") }), shut);
    return form;
  });
}

async function toggleNote({ currentTarget }) {
  const entry = entryOf(currentTarget);
  const error = currentTarget.closest(".entry").querySelector(":scope > .error");
  await act(error, currentTarget, () => changeEntry(entry, { note: !entry.note }));
}

// ---- Doing something

// Sends, says what was done, looks anew. While it is under way the button does nothing; what goes wrong is said beside it.
async function act(error, button, doIt, then = () => {}) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  setText(error, "");
  try {
    const { data } = await doIt();
    then(data);
    await look();
    say(data.said);
  } catch (problem) {
    if (problem.status === 401) lock(problem.message);
    else setText(error, problem.status ? problem.message : "The tenant does not answer: try again.");
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function onSubmit(form, sendIt, then) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form.querySelector(".error"), form.querySelector("[type=submit]"), () => sendIt(new FormData(form)), then);
  });
}

function empty(form) {
  form.reset();
  setText(form.querySelector(".error"), "");
}

function fold(id) {
  $(id).hidden = true;
  $(`${id}-toggle`).setAttribute("aria-expanded", "false");
}

function unfold(id) {
  $(id).hidden = false;
  $(`${id}-toggle`).setAttribute("aria-expanded", "true");
  $(id).querySelector("input").focus();
}

// Connects a form with the button that unfolds it; gives the function that folds it again.
function foldable(id) {
  const back = () => {
    fold(id);
    empty($(id));
    if (id === "edit") fillEditForm();
    $(`${id}-toggle`).focus();
  };
  $(`${id}-toggle`).addEventListener("click", () => ($(id).hidden ? unfold(id) : back()));
  $(id).querySelector("[data-cancel]").addEventListener("click", back);
  $(id).addEventListener("keydown", (event) => event.key === "Escape" && back());
  return back;
}

const incidentPath = (action) => `incidents/${encodeURIComponent(now.route.id)}/${action}`;

function changedFields() {
  const changed = [...$("edit").elements].filter((input) => input.name && input.value !== input.dataset.base);
  return Object.fromEntries(changed.map((input) => [input.name, input.value]));
}

function addEntry(fields) {
  const tags = [...fields.getAll("share"), ...fields.get("tags").split(",")];
  const note = fields.get("note") !== null;
  if (!fields.get("file").name)
    return send(incidentPath("entries"), { text: fields.get("text"), tags, note, markdown: fields.get("markdown") !== null });
  const form = new FormData();
  form.set("file", fields.get("file"));
  form.set("fileComment", fields.get("text"));
  form.set("tags", tags.join(","));
  form.set("isNoteEntry", String(note));
  return sendForm(incidentPath("files"), form);
}

function connectForms() {
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("sort").addEventListener("change", search);
  foldable("create");
  onSubmit($("create"), (fields) => send("incidents", Object.fromEntries(fields)), ({ id }) => {
    history.pushState(null, "", incidentAddress(id));
    go();
  });
  onSubmit($("edit"), () => send(incidentPath("fields"), changedFields()), foldable("edit"));
  onSubmit($("close"), (fields) => send(incidentPath("close"), { reason: fields.get("reason"), notes: fields.get("notes") }), foldable("close"));
  onSubmit($("compose"), addEntry, () => {
    $("compose").reset();
    $("text").focus();
  });
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("compose").requestSubmit();
  });
  $("reopen").addEventListener("click", () =>
    act($("reopen-error"), $("reopen"), () => send(incidentPath("reopen"), {}), () => $("edit-toggle").focus()),
  );
  for (const [id, repair] of [["compare", false], ["repair", true]])
    $(id).addEventListener("click", () => act($("compare-error"), $(id), comparePair(repair)));
  $("older").addEventListener("click", () => {
    now.entries += MORE_ENTRIES;
    look();
  });
}

function search() {
  const query = new URLSearchParams();
  if ($("query").value.trim()) query.set("query", $("query").value.trim());
  if ($("sort").value !== "created") query.set("sort", $("sort").value);
  const address = listAddress(query);
  if (address === (location.hash || "#/")) look();
  else {
    history.pushState(null, "", address);
    const focused = document.activeElement;
    go();
    focused.focus({ preventScroll: true }); // one refines a query where one typed it
  }
}

// ---- Beginning

// The token of the address, which then stays neither there nor in the history.
function takeToken() {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token) history.replaceState(null, "", location.pathname);
  return token && decode(token);
}

async function enter(token = takeToken()) {
  try {
    if (token) await send("session", { token });
    now.tenant = (await ask("tenant")).data;
  } catch (error) {
    if (error.status) return lock(error.message);
    sayLine("No answer, trying again", "bad");
    now.timer = setTimeout(() => enter(token), EVERY);
    return;
  }
  showTenant(now.tenant);
  $("gate").hidden = true;
  now.address = now.route = null;
  go();
}

function showTenant(tenant) {
  document.title = `${tenant.name} · XSOAR ${tenant.version}`;
  document.documentElement.style.setProperty("--hue", tenant.hue);
  setText($("tenant-name"), tenant.name);
  setText($("tenant-version"), `XSOAR ${tenant.version}`);
  setText($("monogram"), [...tenant.name][0]?.toUpperCase() ?? "");
  for (const id of ["create-severity", "edit-severity"])
    $(id).replaceChildren(...tenant.severities.map(({ value, text }) => make("option", { value }, text)));
  $("create-type").replaceChildren(...tenant.types.map((value) => make("option", { value }, value)));
  $("reasons").replaceChildren(...tenant.reasons.map((value) => make("option", { value })));
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
addEventListener("popstate", () => (location.hash.startsWith("#token=") ? enter() : now.tenant && go()));
document.addEventListener("visibilitychange", () => !document.hidden && now.tenant && look());
connectForms();
enter();
