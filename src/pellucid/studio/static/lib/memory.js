// What the browser keeps from one visit to the next; where it may not, the page works without.

export function remembered(name) {
  try {
    return localStorage.getItem(`pellucid.${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`pellucid.${name}`);
    else localStorage.setItem(`pellucid.${name}`, value);
  } catch {
    // private windows
  }
}
