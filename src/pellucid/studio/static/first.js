// Before anything is painted: light or dark, as was chosen last, else as the system prefers. A dark page does not flash.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("pellucid.theme");
  } catch {
    // the browser keeps nothing
  }
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = ["dark", "light"].includes(chosen) ? chosen : preferred;
})();
