// The arrow keys pick a cell of a grid, as a click does: the grid is one stop of the Tab key.

const WAYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** at() → [row, column] of the cell that is picked now, or null; pick(row, column) picks another. */
export function pickable(node, { rows, columns, label, at, pick }) {
  node.tabIndex = 0;
  node.setAttribute("role", "group");
  node.addEventListener("focus", () => node.setAttribute("aria-label", label()));
  node.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    if (!way || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // so that it does not go a line on as well
    const from = at();
    const within = (x, length) => Math.max(0, Math.min(length - 1, x));
    pick(...(from ? [within(from[0] + way[0], rows), within(from[1] + way[1], columns)] : [0, 0]));
  });
}
