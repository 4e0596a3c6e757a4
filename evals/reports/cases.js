// Owns the table of cases by contender: filtered, sorted, a piece at a time; and what differs from another run.
const order = [...cases.keys()];
const failed = (id, name) => { const part = share(cases.get(id).by.get(name)); return part !== null && part < 1; };
const searched = new Map(order.map((id) => {
  const { task, world, tags, at } = now.cases[id];
  return [id, [id, task, world, at, ...Object.values(tags), cases.get(id).why].join("\n").toLowerCase()];
}));
const tagged = [...new Set(order.flatMap((id) => Object.entries(now.cases[id].tags).map((pair) => JSON.stringify(pair))))].sort();
fill(byId("tag"), make("option", { value: "" }, "all"), tagged.map((pair) => make("option", { value: pair }, JSON.parse(pair).join(": "))));
if (names.length < 2) byId("differing").parentElement.hidden = true;

let sorting = { by: "", down: false };
const cellTo = (id, name, index) => {
  const rows = cases.get(id).by.get(name);
  const { sign, word, kind, counted } = mark(rows);
  if (!rows) return make("td", { class: "mark" }, make("span", { class: "quiet" }, "–"));
  const label = `${name}: ${word}${counted ? ` ${counted}` : ""}. Open the transcript of ${id}.`;
  return make("td", { class: "mark" }, make("button", { type: "button", class: `cell ${kind}`, "aria-label": label, title: name, onclick: () => show(id, first(id, name)) }, `${sign}${counted ? ` ${counted}` : ""}`));
};
/** Of a contender's attempts the first that failed, else the first. */
function first(id, name) {
  const all = attempts(id);
  const failing = all.findIndex(({ row, when }) => when !== "before" && row.contender === name && !row.solved);
  return failing >= 0 ? failing : all.findIndex(({ row, when }) => when !== "before" && row.contender === name);
}
const firstFailed = (id) => Math.max(0, attempts(id).findIndex(({ row, when }) => when !== "before" && !row.solved));

const body = make("tbody");
const heads = ["case", ...names].map((name, index) => make("th", { scope: "col", class: index ? "mark" : null },
  make("button", { type: "button", class: "sort", onclick: () => sorted(name) }, index ? name.split(/(?<=:)/).flatMap((part) => [part, make("wbr")]) : "Case")));
const matrix = make("table", { class: "matrix" }, make("thead", null, make("tr", null, heads)), body);
fill(byId("cases").querySelector(".scroll"), matrix);

/** Once: failed first (cases by name); again: turned round; a third time: as they were played. */
function sorted(by) {
  if (sorting.by !== by) sorting = { by, down: false };
  else sorting = sorting.down ? { by: "", down: false } : { by, down: true };
  heads.forEach((head, index) => {
    const mine = sorting.by === ["case", ...names][index];
    if (mine) head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  list();
}
function list() {
  const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [tag, value] = byId("tag").value ? JSON.parse(byId("tag").value) : [];
  listed = order.filter((id) => words.every((word) => searched.get(id).includes(word))
    && (tag === undefined || now.cases[id].tags[tag] === value)
    && (!byId("failed").checked || names.some((name) => failed(id, name)))
    && (!byId("differing").checked || new Set(names.map((name) => share(cases.get(id).by.get(name))).filter((part) => part !== null)).size > 1));
  if (sorting.by) {
    const key = sorting.by === "case" ? (id) => id : (id) => share(cases.get(id).by.get(sorting.by)) ?? 2;
    const keys = new Map(listed.map((id) => [id, key(id)]));
    const compare = (a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : 0);
    listed.sort((a, b) => (sorting.down ? -1 : 1) * compare(a, b));
  }
  byId("shown").textContent = `${listed.length.toLocaleString("en")} of ${plural(order.length, "case")}`;
  lazily(body, listed, (id) => make("tr", null,
    make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: () => show(id, firstFailed(id)) }, id),
      now.cases[id].task ? make("span", { class: "quiet task" }, now.cases[id].task.slice(0, 500)) : null,
      cases.get(id).why ? make("span", { class: "reason" }, cases.get(id).why.slice(0, 500)) : null),
    names.map((name) => cellTo(id, name))));
}
byId("filter").addEventListener("input", list);
byId("filter").addEventListener("submit", (event) => event.preventDefault());
list();

/** What the other run solved more often than this one, and less often; the lost ones first. */
function compared() {
  const section = byId("compared");
  section.hidden = false;
  const signed = (share) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)}`;
  const chance = (delta) => `${delta.p < 0.05 ? "more than chance" : "may be chance"} (${delta.p < 1e-4 ? "p < 0.0001" : `p = ${delta.p.toPrecision(2)}`})`;
  fill(section.querySelector("ul"), data.comparison.comparisons.map(({ before, after, solved, lost, won, changed, only_before, only_after }) => make("li", null,
    make("b", null, before === after ? after : `${before} → ${after}`),
    `: ${percent(solved.before)} → ${percent(solved.after)}, ${signed(solved.difference)} points (${signed(solved.low)} to ${signed(solved.high)}), ${chance(solved)}; ${lost.length} lost, ${won.length} won of ${plural(solved.cases, "case")}`,
    [[changed, "written anew between the runs"], [only_before, "only before"], [only_after, "only now"]].filter(([ids]) => ids.length).map(([ids, which]) => `; ${plural(ids.length, "case")} ${which}`))),
    [["before", data.comparison.only_before], ["now", data.comparison.only_after]].filter(([, only]) => only.length).map(([which, only]) => make("li", null, `Only ${which}: ${only.join(", ")}`)));
  const rows = ["lost", "won"].flatMap((turn) => data.comparison.comparisons.flatMap((one) => one[turn].map((each) => ({ ...each, turn, was: one.before, is: one.after }))));
  const made = table([["Case"], ["Contender"], ["Before"], ["Now"], [""]], []);
  lazily(made.tBodies[0], rows, (each) => {
    const [old, recent] = [earlier.get(each.case)?.by.get(each.was) ?? [], cases.get(each.case)?.by.get(each.is) ?? []];
    const told = (attempts) => { const { sign, word, counted } = mark(attempts); return `${sign} ${word} ${counted}`; };
    const worst = (attempts) => attempts.find((row) => !row.solved) ?? attempts[0];
    const beside = () => {
      const all = attempts(each.case).map(({ row }) => row);
      show(each.case, all.indexOf(worst(old)), all.indexOf(worst(recent)));
    };
    return make("tr", null,
      make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: beside }, each.case), each.why ? make("span", { class: "reason" }, each.why.slice(0, 500)) : null),
      [each.is, told(old), told(recent)].map((cell) => make("td", { class: "whole" }, cell)), make("td", { class: "whole" }, each.turn === "lost" ? "✗ lost" : "✓ won"));
  });
  fill(section.querySelector(".scroll"), rows.length ? made : make("p", null, "Each case was solved as often as before."));
}
if (data.comparison) compared();
fromPlace();
