/* Copy buttons: the text of the element that a button names. Without a clipboard (plain http) the text is selected. */
const select = (element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  const source = button && document.getElementById(button.dataset.copy);
  if (!source) return;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    select(source);
    button.textContent = "Selected: Ctrl-C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2500);
});
