// Owns the viewer of a case: each attempt with its turns, what was checked and which lines decided; two beside one another.
const dialog = byId("transcript");
const cases = gathered(now);
const earlier = gathered(before);
let listed = [];
let open = null;

/** Every attempt at a case, those of this run first. */
function attempts(id) {
  const of = (found, when) => [...(found.get(id)?.by.values() ?? [])].flat().map((row) => ({ row, when }));
  return [...of(cases, before ? "now" : ""), ...of(earlier, "before")];
}
const called = ({ row, when }) => [row.solved ? "✓" : "✗", when, row.contender, (run.epochs ?? 1) > 1 || row.epoch > 1 ? `epoch ${row.epoch}` : ""].filter(Boolean).join(" · ");

function show(id, one = 0, other = -1) {
  const all = attempts(id);
  const known = cases.get(id) ? now.cases[id] : before?.cases[id];
  if (!all.length || !known) return;
  open = id;
  byId("transcript-title").textContent = id;
  const tags = Object.entries(known.tags).map(([name, value]) => `${name}: ${value}`);
  byId("about").textContent = [known.task, known.world && !known.tags.world && `world: ${known.world}`, known.at, ...tags].filter(Boolean).join(" · ");
  const choices = (chosen) => all.map((each, index) => make("option", { value: index, selected: index === chosen }, called(each)));
  fill(byId("one"), choices(one));
  fill(byId("other"), make("option", { value: -1 }, "nothing"), choices(other));
  byId("other").value = other;
  const sides = [all[one] ?? all[0], all[other]].filter(Boolean);
  byId("attempts").className = sides.length > 1 ? "two" : "";
  fill(byId("attempts"), sides.map((each, index) => shown(each, sides[1 - index])));
  const at = listed.indexOf(id);
  byId("previous").disabled = at <= 0;
  byId("next").disabled = at < 0 || at >= listed.length - 1;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const place = `#${new URLSearchParams({ case: id, one, ...(other >= 0 ? { other } : {}) })}`;
  if (location.hash !== place) history.replaceState(null, "", place);
}

function shown(side, beside) {
  const { row } = side;
  const spent = ["calls", "input_tokens", "output_tokens"].filter((name) => row.figures[name]).map((name) => `${name.replace("_", " ")}: ${number(row.figures[name])}`);
  return make("section", { "aria-label": called(side) },
    make("h3", null, sign(row.solved, row.solved ? "solved" : "not solved"), ` · ${[side.when, row.contender].filter(Boolean).join(" · ")}`),
    spent.length || row.figures.cost ? make("p", { class: "quiet" }, [...spent, `cost: ${money(row.figures.cost ?? 0)}`].join(" · ")) : null,
    row.error ? make("p", { class: "note" }, make("b", null, "It broke: "), text(row.error, "span")) : null,
    checked(row.checks),
    folded("All figures", Object.entries(row.figures), (all) => make("ul", { class: "lines" }, all.map(([name, value]) => make("li", null, `${name}: ${number(value)}`)))),
    row.steps
      ? make("ol", { class: "turns" }, row.steps.map((step, index) => turn(data.steps[step], beside && differs(data.steps[step], data.steps[beside.row.steps?.[index]]))))
      : make("p", { class: "note" }, "This page has no room for the transcript; results.jsonl beside it has it."));
}
const differs = (step, other) => !other || ["says", "answer", "status", "hash"].some((name) => step[name] !== other[name]);
const sign = (good, word) => make("span", { class: `sign ${good ? "all" : "no"}` }, make("span", { "aria-hidden": "true" }, good ? "✓" : "✗"), ` ${word}`);

function checked(checks) {
  if (!checks.length) return null;
  const one = (each) => make("li", null, sign(each.met, each.met ? "met" : "unmet"), " ", make("span", { class: "kind" }, each.kind), " ", text(each.what ?? "", "span"),
    each.why ? text(each.why, "p", { class: "why" }) : null, each.lines?.length && !each.met ? lines(each.lines) : null);
  const unmet = checks.filter((each) => !each.met);
  const met = checks.filter((each) => each.met);
  return make("div", { class: "checks" },
    unmet.length ? make("ul", null, unmet.map(one)) : null,
    met.length ? make("details", null, make("summary", null, `${plural(met.length, "check")} met`), make("ul", null, met.map(one))) : null);
}
const lines = (told) => make("ul", { class: "lines" }, told.map((each) => text(each, "li")));

function turn(step, other) {
  const status = step.status ?? "done";
  const facts = [["Route", step.route], ["Tier", step.tier], ["Rule", step.rule], ["Why", step.reason], ["Understood as", step.actions?.join("; ")], ["Cites", step.citations?.join(", ")]].filter(([, value]) => value);
  const listing = (label, all, one, given) => (all?.length ? make("div", given, make("h4", null, label), make("ul", { class: "lines" }, all.map(one))) : null);
  return make("li", { class: `turn ${status}` },
    make("p", { class: "says" }, make("span", { class: "quiet" }, step.by === "solver" ? "Solver: " : "User: "), text(step.says ?? "", "span")),
    text(step.answer ?? "", "p", { class: "answer" }),
    make("p", { class: "status" }, make("span", { class: "chip" }, `${{ done: "✓", answered: "✓", question: "?", refused: "✗" }[status] ?? "?"} ${status}`), other ? make("span", { class: "chip differs" }, "≠ differs here") : null),
    facts.length ? make("dl", null, facts.flatMap(([name, value]) => [make("dt", null, name), text(value, "dd")])) : null,
    listing("Changes outside the rules, made", step.executed, (each) => text(each, "li"), { class: "note" }),
    listing("Changes outside the rules, tried", step.attempted, (each) => text(each, "li"), { class: "note" }),
    step.models?.length ? models(step.models) : null,
    folded(`${plural(step.changes?.length ?? 0, "change")}`, step.changes, (all) => make("ul", { class: "lines" }, all.map((each) => text(`${each.id}.${each.field}: ${JSON.stringify(each.before)} → ${JSON.stringify(each.after)}`, "li")))),
    folded(`Trace: ${plural(step.lines?.length ?? 0, "line")} of the rules`, step.lines, lines, status === "refused"));
}
/** Closed until asked for, and made only then. */
function folded(label, all, inside, opened = false) {
  if (!all?.length) return null;
  const made = make("details", { open: opened, ontoggle: () => made.open && made.children.length < 2 && made.append(inside(all)) }, make("summary", null, label));
  return made;
}
function models(calls) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Calls to models" }, table(
    [["Call for"], ["Model"], ["Calls", "n"], ["Tokens in", "n"], ["out", "n"], ["Cost", "n"], ["Seconds", "n"]],
    calls.map((each) => make("tr", null, make("td", null, each.purpose ?? ""), make("td", null, `${each.model ?? ""}${each.failed ? ` (${each.failed})` : ""}`),
      [number(each.calls ?? 1), number(each.input_tokens ?? 0), number(each.output_tokens ?? 0), money(each.cost ?? 0), number(each.seconds ?? 0)].map((value) => make("td", { class: "n" }, value))))));
}

const again = () => show(open, Number(byId("one").value), Number(byId("other").value));
byId("one").addEventListener("change", again);
byId("other").addEventListener("change", again);
/** To another case of the list, the same contender's. */
function go(step) {
  const id = listed.includes(open) ? listed[listed.indexOf(open) + step] : undefined;
  if (id !== undefined) show(id, Math.max(0, first(id, attempts(open)[Number(byId("one").value)].row.contender)));
}
byId("previous").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname));
dialog.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT" || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "ArrowLeft") go(-1);
  if (event.key === "ArrowRight") go(1);
});
function fromPlace() {
  const told = new URLSearchParams(location.hash.slice(1));
  if (told.has("case")) show(told.get("case"), Number(told.get("one") ?? 0), Number(told.get("other") ?? -1));
}
addEventListener("hashchange", fromPlace);
