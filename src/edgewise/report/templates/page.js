"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const drawn = new Map();
  let stop = page.timeline ? page.timeline.stops.length - 1 : 0;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const SCALES = {
    "@sequential": () => [[0, css("--low")], [0.45, css("--middle")], [1, css("--high")]],
    "@readable": () => [[0, css("--readable-low")], [1, css("--readable-high")]],
    "@diverging": () => [[0, css("--negative")], [0.5, css("--zero")], [1, css("--positive")]],
  };

  // Only colour entries are looked up: a class may be called "@found".
  function coloured(value, key) {
    if (typeof value === "string" && value.startsWith("@")) {
      if (key === "colorscale") return SCALES[value]();
      return key === "color" ? css("--plot-" + value.slice(1)) : value;
    }
    if (Array.isArray(value)) return key === "z" || key === "customdata" ? value : value.map((item) => coloured(item));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item, name)]));
    }
    return value;
  }

  function themed(layout) {
    const axis = (own) => ({
      gridcolor: css("--grid"), linecolor: css("--rule"), zerolinecolor: css("--rule"), fixedrange: true, automargin: true, ...own,
    });
    const own = coloured(layout);
    return {
      font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 12, color: css("--text") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 48, r: 12, t: 10, b: 44 },
      hoverlabel: { bgcolor: css("--surface"), bordercolor: css("--rule"), font: { color: css("--text") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      dragmode: false,
      ...own,
      xaxis: axis(own.xaxis),
      yaxis: axis(own.yaxis),
    };
  }

  function draw(element) {
    const figure = page.figures[element.dataset.figure];
    const data = coloured(figure.data);
    if (narrow.matches) for (const trace of data) if (trace.colorbar) trace.showscale = false;
    drawn.set(element.dataset.figure, element);
    return Plotly.react(element, data, themed(figure.layout), { responsive: true, displayModeBar: false });
  }

  function drawAll() {
    for (const element of document.querySelectorAll(".plot")) {
      const folded = element.closest("details");
      if (!folded || folded.open) draw(element);
    }
  }

  function again(key) {
    if (drawn.has(key)) draw(drawn.get(key));
  }

  function showStop(next) {
    stop = Math.max(0, Math.min(page.timeline.stops.length - 1, next));
    const name = page.timeline.stops[stop];
    const slider = document.getElementById("epoch");
    slider.value = stop;
    slider.setAttribute("aria-valuetext", name);
    document.getElementById("epoch-name").textContent = name;
    document.getElementById("earlier").disabled = stop === 0;
    document.getElementById("later").disabled = stop === page.timeline.stops.length - 1;
    for (const [cell, { at, chosen }] of Object.entries(page.timeline.cells)) {
      for (const picture of document.querySelectorAll("[data-picture]")) {
        if (picture.dataset.cell === cell) picture.hidden = Number(picture.dataset.picture) !== at[stop];
      }
      const figure = page.figures["alpha-" + cell];
      if (!figure) continue;
      figure.data[0].z = page.alpha[cell][page.timeline.epochs[stop]];
      crossOut(figure);
      figure.layout.shapes = chosen[stop].map(([row, column]) => ({
        type: "rect", x0: column + 0.5, x1: column + 1.5, y0: row - 0.5, y1: row + 0.5, line: { color: "@mark", width: 2.5 },
      }));
      again("alpha-" + cell);
    }
    showCosines(page.timeline.epochs[stop]);
  }

  // Crosses where an edge does not have a primitive.
  function crossOut(figure) {
    const [{ x, y, z }, crosses] = figure.data;
    if (!crosses) return;
    const empty = z.flatMap((row, i) => row.flatMap((share, j) => (share === null ? [[x[j], y[i]]] : [])));
    crosses.x = empty.map((at) => at[0]);
    crosses.y = empty.map((at) => at[1]);
  }

  function showCosines(epoch) {
    for (const [key, epochs] of Object.entries(page.cosines || {})) {
      const trace = page.figures[key].data[0];
      document.getElementById("not-measured").hidden = epochs[epoch] !== null;
      trace.z = epochs[epoch] || trace.z.map((row) => row.map(() => null));
      again(key);
    }
  }

  function showEdge(select) {
    const option = select.selectedOptions[0];
    const rows = page.alpha[option.dataset.cell].map((epoch) => epoch[Number(option.value)]);
    const figure = page.figures["alpha-edge"];
    figure.data[0].z = rows[0].map((_, primitive) => rows.map((row) => row[primitive]));
    crossOut(figure);
    again("alpha-edge");
  }

  if (window.Plotly) {
    drawAll();
    dark.addEventListener("change", drawAll);
    narrow.addEventListener("change", drawAll);
    for (const details of document.querySelectorAll("details")) {
      details.addEventListener("toggle", () => {
        if (details.open) details.querySelectorAll(".plot").forEach(draw);
      });
    }
  }
  const slider = document.getElementById("epoch");
  if (slider) {
    slider.addEventListener("input", () => showStop(Number(slider.value)));
    document.getElementById("earlier").addEventListener("click", () => showStop(stop - 1));
    document.getElementById("later").addEventListener("click", () => showStop(stop + 1));
    showStop(stop);
  }
  const edge = document.getElementById("edge");
  if (edge) edge.addEventListener("change", () => showEdge(edge));
})();
