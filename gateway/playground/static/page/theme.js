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

/** @param {(isDark: boolean) => void} [onChange] for whatever does not follow the page's own colours */
export function followTheme(onChange = () => {}) {
  const button = element("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let theme = remembered();
  const show = () => {
    if (!(theme in NEXT)) theme = "auto";
    document.documentElement.dataset.theme = theme;
    button.textContent = LABELS[theme];
    button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}`);
    onChange(theme === "auto" ? system.matches : theme === "dark");
  };
  system.addEventListener("change", show);
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    remember(theme);
    show();
  });
  show();
}
