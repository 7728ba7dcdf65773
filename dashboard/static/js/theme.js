/* Light or dark: what was chosen last, else what the system prefers. Runs before the page is drawn, so nothing flashes. */
(() => {
  const root = document.documentElement;
  const stored = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.bsTheme = stored() || (prefersDark ? "dark" : "light");
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme")?.addEventListener("click", () => {
      root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.bsTheme); } catch { /* a private window keeps nothing */ }
      document.dispatchEvent(new Event("themechange"));
    });
  });
})();
