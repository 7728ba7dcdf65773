/* A board: readings and medians over time; a click on a run's mark leads to the run. */
import { draw } from "./frame.js";

for (const element of document.querySelectorAll(".chart")) {
  const drawn = await draw(element);
  drawn.on("plotly_click", ({ points }) => {
    const address = points[0].customdata?.[1];
    if (address) { location.assign(address); }
  });
}
