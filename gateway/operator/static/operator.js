/** The operator's page: asks for what `status --json` prints every few seconds, and shows it. It changes nothing. */

import { definitions, make, replace, table, taskLink } from "./parts.js";

const REFRESH_MS = 5_000;
const KEY = "cutgate-operator-key";
const FACTS = {
  waiting: "Waiting",
  running: "Running",
  workers: "Workers",
  to_be_deleted: "To be deleted",
  errands_due: "Errands due",
  ledger_memory_percent: "Redis memory, %",
  storage: "Storage",
};
const LATE_SECONDS = 60;

const element = (id) => document.getElementById(id);
let timer;

/** What is answered at a path below the page; throws an error, with a `status` unless nobody answers. */
async function ask(path) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  const response = await fetch(`operator/${path}`, { headers, cache: "no-store" });
  const said = await response.json();
  if (response.ok) return said;
  throw Object.assign(new Error(said.error), { status: response.status, alerts: said.alerts });
}

async function refresh() {
  clearTimeout(timer);
  if (!document.hidden) {
    try {
      show(await ask("data"));
    } catch (error) {
      fail(error);
      if (error.status === 401) return;
    }
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function show(data) {
  signedIn(true);
  delete document.body.dataset.stale;
  element("problem").hidden = true;
  element("updated").textContent = `As of ${new Date(data.at).toLocaleTimeString()}`;
  showAlerts(data.alerts, true);
  const { ended, failed } = data.last_hour;
  const facts = Object.entries(FACTS).map(([name, label]) => [label, data[name] ?? "–"]);
  replace(element("facts"), [...facts, ["Tasks in an hour", `${ended}, ${failed} failed`]].map(fact));
  showLanes(data.lanes);
  showWorkers(data.worker_list);
  showFaults(data.faults);
  showUsage(data.usage);
}

function fact([label, value]) {
  const number = make("dd", { className: typeof value === "number" ? "" : "words" }, String(value));
  return make("div", {}, make("dt", {}, label), number);
}

function fail(error) {
  if (error.status === 401) {
    const tried = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    element("refusal").textContent = tried ? "This is not the key. It is CUTGATE_OPERATOR_KEY of the gateway." : "";
    signedIn(false);
    return;
  }
  document.body.dataset.stale = "";
  element("problem").hidden = false;
  element("problem").textContent = error.status
    ? error.message
    : "The gateway does not answer. What is below is old; this page goes on trying.";
  showAlerts(error.alerts ?? [], false);
  signedIn(true);
}

function signedIn(yes) {
  element("sign-in").hidden = yes;
  element("page").hidden = !yes;
  element("forget").hidden = !yes;
  if (!yes) element("updated").textContent = "Not connected";
}

function showAlerts(alerts, isWhole) {
  const rows = alerts.map(({ severity, summary, advice }) =>
    make("li", { className: severity }, make("strong", {}, summary), make("p", {}, advice)),
  );
  const fine = make("li", { className: "fine" }, make("strong", {}, "Nothing needs attention"));
  replace(element("alerts"), rows.length || !isWhole ? rows : [fine]);
}

function showLanes(lanes) {
  const columns = ["Lane", "Waiting", "Oldest, s", "Workers", "Reading", "Computing", "Writing"];
  const rows = lanes.map((lane) => [
    lane.lane,
    lane.waiting,
    lane.oldest_seconds > LATE_SECONDS ? make("span", { className: "late" }, lane.oldest_seconds) : lane.oldest_seconds,
    lane.waiting && !lane.workers ? make("span", { className: "late" }, 0) : lane.workers,
    lane.reading,
    lane.computing,
    lane.writing,
  ]);
  const numbers = [1, 2, 3, 4, 5, 6];
  replace(element("lanes"), [table(columns, rows, { numbers, none: "No lane has been used yet." })]);
}

function showWorkers(workers) {
  const rows = workers.flatMap(({ worker, alive, lanes, engines, pictures }) => {
    const name = alive ? worker : make("span", { className: "late" }, `${worker} (silent)`);
    const held = pictures.map((one) => [one.phase, taskLink(one.task, lookUp), one.account, one.seconds]);
    const offers = [lanes.join(", "), engines.join("; ")];
    return (held.length ? held : [["idle", "–", "–", ""]]).map((cells, n) =>
      n ? ["", ...cells, "", ""] : [name, ...cells, ...offers],
    );
  });
  const columns = ["Worker", "Phase", "Picture of task", "Account", "Seconds", "Lanes", "Engine"];
  replace(element("workers"), [table(columns, rows, { numbers: [4], none: "No worker is alive." })]);
}

function showFaults(faults) {
  const rows = faults.map((fault) => [
    fault.kind,
    fault.pictures,
    taskLink(fault.last_task, lookUp),
    fault.account,
    fault.message,
  ]);
  const columns = ["Kind", "Pictures", "Last task", "Account", "Message"];
  replace(element("faults"), [table(columns, rows, { numbers: [1], none: "Nothing failed." })]);
}

function showUsage(usage) {
  element("period").textContent = `${usage.from} to ${usage.to}, days in pictures done (UTC)`;
  const days = daysBetween(usage.from, usage.to);
  const rows = usage.accounts.map((row) => {
    const done = Object.fromEntries(row.days.map(({ day, done }) => [day, done]));
    return [row.account, row.done, row.failed, row.credits, ...days.map((day) => done[day] ?? 0)];
  });
  if (rows.length) rows.push([`All ${usage.accounts_in_all}`, usage.done, usage.failed, usage.credits]);
  const columns = ["Account", "Done", "Failed", "Credits", ...days.map((day) => day.slice(5))];
  const numbers = columns.map((_, n) => n).slice(1);
  replace(element("usage"), [table(columns, rows, { numbers, none: "Nobody has used the service in these days." })]);
}

/** The days from one to another, the newest first. */
function daysBetween(first, last) {
  const days = [];
  for (let at = Date.parse(last); at >= Date.parse(first); at -= 86_400_000) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days;
}

async function lookUp(uid) {
  element("uid").value = uid;
  element("close").hidden = false;
  try {
    replace(element("history"), historyOf(await ask(`tasks/${encodeURIComponent(uid)}`)));
  } catch (error) {
    if (error.status === 401) fail(error);
    const text = error.status ? error.message : "The gateway does not answer.";
    replace(element("history"), [make("p", { className: "refusal" }, text)]);
  }
  element("look-up").scrollIntoView({ block: "nearest" });
}

function historyOf({ items, kinds, ...task }) {
  const shown = [definitions({ ...task, kinds: kinds.join(", ") })];
  for (const { history, picture, ...item } of items) {
    shown.push(make("h3", {}, `Picture ${picture}`), definitions(item));
    const rows = history.map((hold) => [
      new Date(hold.claimed_at_ms).toLocaleString(),
      (hold.held_ms / 1_000).toFixed(1),
      hold.phase,
      hold.end,
      hold.owner,
    ]);
    const columns = ["Claimed at", "Seconds", "Phase", "End", "Worker"];
    if (rows.length) shown.push(make("div", { className: "scroll" }, table(columns, rows, { numbers: [1], none: "" })));
  }
  return shown;
}

element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, element("key").value.trim());
  element("key").value = "";
  refresh();
});
element("forget").addEventListener("click", () => {
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
  location.reload();
});
element("look-up").addEventListener("submit", (event) => {
  event.preventDefault();
  lookUp(element("uid").value.trim());
});
element("close").addEventListener("click", () => {
  element("close").hidden = true;
  element("uid").value = "";
  replace(element("history"), []);
});
document.addEventListener("visibilitychange", () => document.hidden || element("page").hidden || refresh());

if (sessionStorage.getItem(KEY)) refresh();
else signedIn(false);
