"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const filter = document.getElementById("filter");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const wanted = (text) => filter.value.trim().toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));

  function sortBy(table, column, head) {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const entry = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, two) => {
      const [a, b] = [entry(one), entry(two)];
      // What has no number stands last, whichever way.
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => sortBy(table, column, head));
    });
  }

  function layout(own) {
    const axis = (more) => ({
      gridcolor: css("--grid"), linecolor: css("--rule"), zerolinecolor: css("--rule"), fixedrange: true, automargin: true, ...more,
    });
    return {
      font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 12, color: css("--text") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 48, r: 12, t: 10, b: 44 },
      hoverlabel: { bgcolor: css("--surface"), bordercolor: css("--rule"), font: { color: css("--text") } },
      dragmode: false,
      ...own,
      xaxis: axis(own.xaxis),
      yaxis: axis(own.yaxis),
    };
  }

  const unit = page && (page.metric === "test" ? "test error, %" : "supernet accuracy on the arch split, %");

  function drawPoints(shown) {
    const names = shown.map((method) => method.short);
    const trace = (kind, symbol, name) => ({
      type: "scatter", mode: "markers", name,
      x: [], y: [], customdata: [],
      marker: { size: 9, symbol, color: [], line: { width: 1, color: css("--surface") } },
      hovertemplate: "%{customdata}: %{x:.2f}<extra></extra>",
      kind,
    });
    const traces = [trace("search", "circle", "one search, trained once"), trace("retrained", "diamond-open", "best, retrained")];
    shown.forEach((method, row) => {
      for (const one of traces) {
        for (const run of method.runs.filter((entry) => entry.kind === one.kind && entry.value !== null)) {
          one.x.push(run.value);
          one.y.push(row + (one.kind === "search" ? -0.1 : 0.15));
          one.customdata.push(`${method.short}, seed ${run.seed}`);
          one.marker.color.push(css("--m" + method.colour));
        }
      }
    });
    const used = traces.filter((one) => one.x.length).map(({ kind, ...rest }) => rest);
    const element = document.getElementById("points");
    const height = 90 + Math.max(1, shown.length) * (narrow.matches ? 46 : 30);
    element.style.height = height + "px";
    document.getElementById("points-title").textContent = `Every run: ${unit}`;
    Plotly.react(element, used, layout({
      height, hovermode: "closest", showlegend: used.length > 1, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { title: { text: unit } },
      yaxis: { tickvals: names.map((_, i) => i), ticktext: narrow.matches ? names.map(broken) : names, range: [names.length - 0.5, -0.5], zeroline: false },
    }), { responsive: true, displayModeBar: false });
  }

  // Long names would leave no room for the plot on a narrow page.
  function broken(name) {
    const words = name.split(" ");
    const half = Math.ceil(words.length / 2);
    return words.length < 2 ? name : words.slice(0, half).join(" ") + "<br>" + words.slice(half).join(" ");
  }

  function drawCurves(shown) {
    const name = document.getElementById("curve").value;
    const data = shown.flatMap((method) => method.runs
      .filter((run) => run.kind === "search" && run.curves[name])
      .map((run, i) => ({
        type: "scatter", mode: run.curves[name].length > 30 ? "lines" : "lines+markers", name: method.short, legendgroup: method.name, showlegend: i === 0,
        x: run.curves[name].map((_, epoch) => epoch + 1),
        y: run.curves[name],
        line: { color: css("--m" + method.colour), width: 1.6, dash: method.dash },
        marker: { color: css("--m" + method.colour), size: 4 },
        hovertemplate: `${method.short}, seed ${run.seed}<br>epoch %{x}: %{y:.4~g}<extra></extra>`,
      })));
    const element = document.getElementById("curves");
    const height = narrow.matches ? 380 + 20 * shown.length : 400 + 8 * shown.length;
    element.style.height = height + "px";
    document.getElementById("curves-title").textContent = `${name[0].toUpperCase()}${name.slice(1)} over the epochs of every search`;
    const accuracy = name.includes("accuracy");
    const longest = Math.max(0, ...data.map((trace) => trace.x.length));
    Plotly.react(element, data, layout({
      height, hovermode: "closest", showlegend: true, legend: { orientation: "h", x: 0, y: -0.2, yanchor: "top" },
      xaxis: { title: { text: "epoch" }, zeroline: false, tickformat: "d", ...(longest <= 10 ? { dtick: 1 } : {}) },
      yaxis: { title: { text: name }, ...(accuracy ? { tickformat: ".2~%" } : {}) },
    }), { responsive: true, displayModeBar: false });
  }

  function draw() {
    if (!page || !window.Plotly) return;
    const shown = page.methods.filter((method) => method.runs.length && wanted(method.name));
    drawPoints(shown);
    drawCurves(shown);
  }

  function show() {
    let kept = 0, all = 0;
    for (const row of document.querySelectorAll("table.sortable tbody tr")) {
      row.hidden = !wanted(row.textContent);
      kept += !row.hidden;
      all += 1;
    }
    document.getElementById("filter-count").textContent = filter.value.trim() ? `${kept} of ${all} rows` : "";
    draw();
  }

  filter.addEventListener("input", show);
  dark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);
  const curve = document.getElementById("curve");
  if (curve) curve.addEventListener("change", draw);
  show();
})();
