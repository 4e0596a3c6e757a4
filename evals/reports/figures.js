// Owns the page's head, the table of contenders, the plot, and the strata.
const { run } = now;
document.title = `${run.suite}: results`;
byId("suite").textContent = run.suite;
byId("facts").textContent = [
  plural(run.cases ?? 0, "case"),
  plural(names.length, "contender"),
  plural(run.epochs ?? 1, "epoch"),
  `seed ${run.seed}`,
  `Rulebound ${run.version}`,
].join(" · ");
fill(
  byId("commits").querySelector("dl"),
  Object.entries({ ...run.commits, "cases’ fingerprint": run.fingerprint ?? "" }).flatMap(([name, commit]) => [make("dt", null, name), make("dd", null, make("code", null, commit))]),
);

/** An interval as a band, its rate as a tick. */
function band(told) {
  const x = (rate) => 2 + 116 * rate;
  return make("svg", { class: "band", viewBox: "0 0 120 14", width: 120, height: 14, "aria-hidden": "true" },
    make("line", { class: "track", x1: x(0), x2: x(1), y1: 7, y2: 7 }),
    make("rect", { class: "between", x: x(told.low), width: Math.max(1, x(told.high) - x(told.low)), y: 4, height: 6, rx: 3 }),
    make("rect", { class: "tick", x: x(told.rate) - 1.5, width: 3, y: 1, height: 12, rx: 1.5 }));
}
const rated = (told) => [band(told), " ", make("span", { class: "rate" }, percent(told.rate)), " ", make("span", { class: "quiet range" }, `${(100 * told.low).toFixed(1)}–${(100 * told.high).toFixed(1)}`)];
const largest = (told) => Object.entries(told ?? {}).sort(([a], [b]) => Number(b) - Number(a))[0];
const figure = (told, name, part = "mean") => told.figures?.[name]?.[part] ?? 0;
const tokens = (told) => figure(told, "input_tokens") + figure(told, "output_tokens");

function table(heads, rows) {
  return make("table", null,
    make("thead", null, make("tr", null, heads.map(([label, kind]) => make("th", { scope: "col", class: kind }, label)))),
    make("tbody", null, rows));
}
const several = (run.epochs ?? 1) > 1;
fill(byId("contenders").querySelector(".scroll"), table(
  [["Contender"], ["Cases", "n"], ["Solved, 95% interval"], ...(several ? [[`pass@${run.epochs}`, "n"], [`pass^${run.epochs}`, "n"]] : []),
    ["Illegal tried, done", "n"], ["Calls", "n"], ["Tokens", "n"], ["Cost", "n"], ["Cost in all", "n"]],
  names.map((name) => {
    const told = now.contenders[name];
    const cell = (value) => make("td", { class: "n" }, value);
    return make("tr", null,
      make("th", { scope: "row" }, name), cell(number(told.cases ?? 0)), make("td", { class: "solved" }, told.solved ? rated(told.solved) : "–"),
      several ? [cell(percent(largest(told.pass_at)?.[1])), cell(percent(largest(told.pass_all)?.[1]))] : [],
      cell(["attempted", "executed"].map((name) => number(figure(told, `illegal_${name}`, "sum"))).join(", ")),
      cell(number(figure(told, "calls"))), cell(number(tokens(told))), cell(money(figure(told, "cost"))), cell(money(figure(told, "cost", "sum"))));
  }),
));
if (now.left_out?.length) {
  byId("left-out").textContent = `${plural(now.left_out.length, "case")} that only a model can play ${now.left_out.length === 1 ? "was" : "were"} left out where there is none.`;
}

/** Points with their intervals over what an attempt costs: dollars, or where nothing has a price tokens, or else side by side. */
function plot() {
  const [width, height, left, right, top, bottom] = [720, 270, 52, 150, 16, 44];
  const contenders = names.map((name) => ({ name, ...now.contenders[name] }));
  const axes = [["Cost a case, US dollars", (each) => figure(each, "cost"), money], ["Tokens a case; nothing has a price", tokens, number]];
  const [title, spent, written] = axes.find(([, of]) => contenders.some(of)) ?? ["Nothing was asked of a model: side by side", null];
  const most = spent && Math.max(...contenders.map(spent)) * 1.05;
  const x = (part) => left + (width - left - right) * part;
  const y = (rate) => top + (height - top - bottom) * (1 - rate);
  const label = (at, down, words, given = {}) => make("text", { x: at, y: down, ...given }, words);
  const line = (x1, y1, x2, y2) => make("line", { class: "whisker", x1, y1, x2, y2 });
  const grid = [0, 0.25, 0.5, 0.75, 1].map((rate) => make("g", null,
    make("line", { class: "track", x1: left, x2: width - right, y1: y(rate), y2: y(rate) }), label(left - 8, y(rate) + 4, `${100 * rate}%`, { "text-anchor": "end" })));
  const ticks = spent ? [0, 0.5, 1].map((part) => label(x(part / 1.05), height - bottom + 20, written((part * most) / 1.05), { "text-anchor": "middle" })) : [];
  const points = contenders.map((each, index) => ({ ...each, at: x(spent ? spent(each) / most : (index + 0.5) / contenders.length), down: y(each.solved.rate) }));
  const labels = [];
  const marks = points.sort((a, b) => b.down - a.down || a.at - b.at).map(({ name, solved, at, down }) => {
    const over = labels.filter((each) => Math.abs(each.at - at) < 200).map((each) => each.level - 15); // else they lie on one another
    const level = Math.min(down, ...(spent ? over : []));
    labels.push({ at, level });
    return make("g", null,
      line(at, y(solved.high), at, y(solved.low)), [solved.low, solved.high].map((end) => line(at - 5, y(end), at + 5, y(end))),
      make("circle", { class: "point", cx: at, cy: down, r: 5 }), label(at + 11, level + 4, name.length > 26 ? `${name.slice(0, 25)}…` : name));
  });
  const said = contenders.map((each) => `${each.name} ${percent(each.solved.rate)}${spent ? ` at ${written(spent(each))}` : ""}`).join("; ");
  return [
    make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Share solved. ${title}: ${said}` }, grid, ticks, marks, label(left, height - 6, title, { class: "axis" })),
    make("figcaption", { class: "quiet" }, `Share of attempts solved, with its 95% interval. Better is higher${spent ? " and further left" : ""}.`),
  ];
}
fill(byId("plot").querySelector("figure"), plot());

/** For each tag its values, and what each contender solved of them. */
function strata() {
  const tags = [...new Set(names.flatMap((name) => Object.keys(now.contenders[name].by ?? {})))];
  const valuesOf = (tag) => [...new Set(names.flatMap((name) => Object.keys(own(now.contenders[name].by, tag) ?? {})))];
  return tags.map((tag) => [tag, valuesOf(tag)]).filter(([, values]) => values.length > 1).map(([tag, values]) => {
    const body = table([[tag], ["Cases", "n"], ...names.map((name) => [name])], []);
    lazily(body.tBodies[0], values, (value) => {
      const told = names.map((name) => own(own(now.contenders[name].by, tag), value));
      return make("tr", null, make("th", { scope: "row" }, value), make("td", { class: "n" }, number(Math.max(...told.map((each) => each?.cases ?? 0)))),
        told.map((each) => make("td", { class: "solved" }, each ? rated(each) : "–")));
    });
    const scroll = make("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": `By ${tag}` }, body);
    return make("details", { open: values.length <= 12 }, make("summary", null, `${tag}: ${plural(values.length, "value")}`), scroll);
  });
}
const stratified = strata();
byId("strata").classList.toggle("crowded", names.length > 3);
byId("strata").hidden = !stratified.length;
fill(byId("strata").querySelector("div"), stratified);
