/* What all charts share: reading the figure from the page, the theme's colours, switching metrics. */

const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { text: read("--bs-body-color"), grid: read("--bs-border-color"), paper: read("--bs-body-bg") };
}

function themed(layout) {
  const { text, grid, paper } = colours();
  const axes = Object.fromEntries(
    Object.keys(layout).filter((name) => /^[xy]axis/.test(name)).map((name) => [
      name, { gridcolor: grid, linecolor: grid, zerolinecolor: grid, ...layout[name] },
    ]),
  );
  return {
    ...layout,
    ...axes,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: text, size: 12, family: "system-ui, sans-serif" },
    hoverlabel: { bgcolor: paper, bordercolor: grid, font: { color: text }, align: "left" },
  };
}

/* Draws the chart of `element`; the JSON script named by data-figure holds {figure, choices}. */
export async function draw(element) {
  const { figure, choices } = JSON.parse(document.getElementById(element.dataset.figure).textContent);
  await Plotly.newPlot(element, figure.data, themed(figure.layout), CONFIG);
  const buttons = document.querySelectorAll(`[data-choices-of="${element.id}"] button`);
  for (const button of buttons) {
    button.addEventListener("click", () => choose(element, choices, Number(button.dataset.choice), buttons));
  }
  document.addEventListener("themechange", () => Plotly.relayout(element, themed(structuredClone(element.layout))));
  element.dataset.drawn = "yes";
  return element;
}

/* Shows the traces of one choice and hides those of the others; what belongs to no choice stays. */
function choose(element, choices, chosen, buttons) {
  const all = new Set(choices.flatMap((choice) => choice.show));
  const wanted = new Set(choices[chosen].show);
  const visible = element.data.map((_, at) => !all.has(at) || wanted.has(at));
  Plotly.update(element, { visible }, choices[chosen].layout);
  buttons.forEach((button, at) => {
    button.classList.toggle("active", at === chosen);
    button.setAttribute("aria-pressed", String(at === chosen));
  });
}
