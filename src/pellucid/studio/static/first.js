// Before anything is painted: the colours that were chosen last, so that a dark page does not flash white.
try {
  const theme = localStorage.getItem("pellucid.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // the browser keeps nothing: its own preference stands
}
