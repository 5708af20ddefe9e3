// Many buttons as one stop of the Tab key: the arrow keys go from one to the next, over rows as they lie on the page.

/** Makes the buttons in `node` such a group; call what it gives when there are other buttons, with the one to begin at. */
export function arrows(node) {
  let here = null;

  function stopAt(button) {
    if (here) here.tabIndex = -1;
    here = button;
    if (here) here.tabIndex = 0;
  }

  node.addEventListener("focusin", ({ target }) => target.parentNode === node && stopAt(target));
  node.addEventListener("keydown", (event) => {
    const buttons = [...node.children];
    const at = buttons.indexOf(event.target);
    const to = at < 0 || event.ctrlKey || event.metaKey || event.altKey ? null : stepped(event.key, at, buttons);
    if (to === null) return;
    event.preventDefault();
    buttons[to].focus();
  });

  return (begin) => {
    for (const button of node.children) button.tabIndex = -1;
    here = null;
    stopAt(begin ?? node.firstElementChild);
  };
}

function stepped(key, at, buttons) {
  const top = buttons[0].offsetTop;
  const beyond = buttons.findIndex(({ offsetTop }) => offsetTop > top);
  const columns = beyond < 0 ? buttons.length : beyond;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: buttons.length - 1 }[key];
  return to === undefined ? null : to >= 0 && to < buttons.length ? to : at;
}
