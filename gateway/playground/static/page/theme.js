/** Light, dark, or as the system: a button that goes round. The choice is no secret and outlives the tab. */

import { element } from "./dom.js";

const KEY = "cutgate-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const LABELS = { auto: "Auto", light: "Light", dark: "Dark" };

/** A browser that refuses storage to a page throws. */
function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "auto";
  } catch {
    return "auto";
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It lasts as long as the page, then.
  }
}

export function followTheme() {
  const button = element("theme");
  let theme = remembered();
  const show = () => {
    if (!(theme in NEXT)) theme = "auto";
    document.documentElement.dataset.theme = theme;
    button.textContent = LABELS[theme];
    button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}`);
  };
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    remember(theme);
    show();
  });
  show();
}
