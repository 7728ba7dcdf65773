/* Layers: similarity lines over time bars; a click on a layer goes to its row in the table. */
import { draw } from "./frame.js";

for (const element of document.querySelectorAll(".chart")) {
  const drawn = await draw(element);
  drawn.on("plotly_click", ({ points }) => {
    const row = document.getElementById(`${element.id}-layer-${points[0].x}`);
    if (row) { location.hash = row.id; }
  });
}
