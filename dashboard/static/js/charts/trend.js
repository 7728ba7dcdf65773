/* A model's history: numbers over versions. */
import { draw } from "./frame.js";

for (const element of document.querySelectorAll(".chart")) {
  await draw(element);
}
