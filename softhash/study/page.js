// Two methods, query by query

const stored = JSON.parse(document.getElementById("queries").textContent);

function scores(group, method, metric) {
  const packed = stored.scores[group]?.[method]?.[metric];
  if (!packed) return null;
  const bytes = Uint8Array.from(atob(packed.steps), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, i) => {
    const step = view.getUint16(2 * i, true);
    return step > 65534 ? NaN : (step / 65534) * packed.largest;
  });
}

function picture(number, alt) {
  return number === null || number === undefined
    ? ""
    : element("img", { src: stored.pictures[number], alt, loading: "lazy" });
}

const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(4);
const percent = (part, all) => `${Math.round((100 * part) / all)} %`;

function plot(differences) {
  const space = "http://www.w3.org/2000/svg";
  const make = (name, attributes) => {
    const made = document.createElementNS(space, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };
  const sorted = [...differences].sort((a, b) => b - a);
  const largest = Math.max(...sorted.map(Math.abs), 1e-9);
  const width = 1000 / sorted.length;
  const half = { first: "", second: "" };
  sorted.forEach((value, i) => {
    const high = 50 - (48 * value) / largest;
    half[value > 0 ? "first" : "second"] += `M${(i * width).toFixed(2)} 50V${high.toFixed(2)}h${width.toFixed(2)}V50z`;
  });
  const svg = make("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", "Difference of each query, sorted");
  svg.append(
    make("path", { class: "first", d: half.first }),
    make("path", { class: "second", d: half.second }),
    make("line", { x1: 0, x2: 1000, y1: 50, y2: 50 }),
  );
  return svg;
}

function extremes(side, title, chosen) {
  const body = element("tbody");
  for (const { query, a, b, difference } of chosen) {
    const seed = "seed" in query ? `, seed ${query.seed}` : "";
    body.append(
      element(
        "tr",
        {},
        element("td", {}, picture(query.picture, query.labels)),
        element("td", {}, query.id + seed, element("br"), element("small", {}, query.labels)),
        ...[a.toFixed(4), b.toFixed(4), signed(difference)].map((number) => element("td", { className: "n" }, number)),
      ),
    );
  }
  const heads = ["", "query", "first", "second", "difference"].map((name, i) =>
    element("th", { className: i > 1 ? "n" : "" }, name),
  );
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
  return element("div", {}, element("h3", { className: side }, title), chosen.length ? table : "none");
}

function strip(side, method, neighbours) {
  const row = element("div", { className: "row" }, element("b", { className: side }, method));
  if (!neighbours) row.append(element("div", {}, "no pictures of this method"));
  for (const { picture: number, title, hit, shared, others } of neighbours ?? []) {
    row.append(
      element(
        "div",
        { className: hit ? "hit" : "miss", title: [shared, others].filter(Boolean).join(", ") },
        picture(number, [shared, others].join(" ")),
        title,
        element("br"),
        element("strong", {}, shared),
        shared && others ? ", " : "",
        others,
      ),
    );
  }
  return row;
}

function galleries(group, first, second, pairs) {
  const finds = stored.finds[group] ?? {};
  const shown = pairs.filter(({ place }) => finds[first]?.[place] || finds[second]?.[place]);
  if (!shown.length) return [];
  const blocks = shown.map(({ query, place, a, b, difference }) =>
    element(
      "div",
      { className: "found" },
      element(
        "figure",
        {},
        picture(query.picture, query.labels),
        element("figcaption", {}, element("strong", {}, signed(difference)), element("br"), query.labels || query.id),
      ),
      strip("first", `${first} ${a.toFixed(3)}`, finds[first]?.[place]),
      strip("second", `${second} ${b.toFixed(3)}`, finds[second]?.[place]),
    ),
  );
  return [
    element("h3", {}, "What both find, from the query that the first wins most to the one that it loses most"),
    element(
      "p",
      { className: "soft" },
      `The run folders have pictures of ${shown.length} of these queries, with what the first seed finds. ` +
        "A faded image is not relevant; labels shared with the query are dark.",
    ),
    ...blocks,
  ];
}

function comparePage(card) {
  const groups = Object.keys(stored.scores);
  const answer = element("div");
  const methods = (group) => Object.keys(stored.scores[group]);
  const [groupLabel, group] = choice("on", groups, groups[0], renew);
  const [metricLabel, metric] = choice("by", stored.metrics, stored.metrics[0], show);
  const [firstLabel, first] = choice("first", [], "", show);
  const [secondLabel, second] = choice("second", [], "", show);
  function renew() {
    const names = methods(group.value);
    const keep = [first.value || stored.first, second.value];
    [first, second].forEach((select, i) => {
      select.replaceChildren(...names.map((name) => new Option(name, name)));
      const other = names.find((name) => name !== first.value) ?? names[0];
      select.value = names.includes(keep[i]) ? keep[i] : i ? other : names[0];
    });
    show();
  }
  function show() {
    const queries = stored.queries[group.value.replace(/, \d+ bits$/, "")];
    const [a, b] = [first, second].map((select) => scores(group.value, select.value, metric.value));
    if (!a || !b) {
      answer.replaceChildren(`${metric.value} was not measured for both.`);
      return;
    }
    const pairs = queries
      .map((query, place) => ({ query, place, a: a[place], b: b[place], difference: a[place] - b[place] }))
      .filter(({ difference }) => !Number.isNaN(difference))
      .sort((one, other) => other.difference - one.difference);
    if (!pairs.length) {
      answer.replaceChildren("They have no query in common.");
      return;
    }
    const won = pairs.filter(({ difference }) => difference > 1e-6);
    const lost = pairs.filter(({ difference }) => difference < -1e-6).reverse();
    const mean = pairs.reduce((sum, { difference }) => sum + difference, 0) / pairs.length;
    const name = (side, select) => element("strong", { className: side }, select.value);
    answer.replaceChildren(
      element(
        "p",
        { id: "verdict" },
        name("first", first),
        ` is higher for ${won.length} of ${pairs.length} queries (${percent(won.length, pairs.length)}), `,
        name("second", second),
        ` for ${lost.length} (${percent(lost.length, pairs.length)}); mean difference ${signed(mean)}.`,
      ),
      plot(pairs.map(({ difference }) => difference)),
      element("p", { className: "soft" }, "Difference of each query, sorted: above the line the first is higher, below it the second."),
      element(
        "div",
        { className: "sides" },
        extremes("first", `Queries that ${first.value} wins most`, won.slice(0, 8)),
        extremes("second", `Queries that ${second.value} wins most`, lost.slice(0, 8)),
      ),
      ...galleries(group.value, first.value, second.value, pairs),
    );
  }
  card.replaceChildren(element("div", { className: "filters" }, groupLabel, metricLabel, firstLabel, secondLabel), answer);
  renew();
}

comparePage(document.getElementById("compare"));
