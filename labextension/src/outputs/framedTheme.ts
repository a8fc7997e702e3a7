const VARIABLES = [
  '--jp-border-color1',
  '--jp-code-font-family',
  '--jp-code-font-size',
  '--jp-content-font-color1',
  '--jp-content-font-family',
  '--jp-content-font-size1',
  '--jp-content-line-height',
  '--jp-content-link-color',
  '--jp-rendermime-table-row-background',
  '--jp-rendermime-table-row-hover-background',
  '--jp-ui-font-size1'
];

/** Reading it has the browser compute the styles of the whole page, at once. */
const KEPT_MS = 1_000;

/** What frames have of the theme: values, since nothing of it can be loaded there. */
export type FramedTheme = Record<string, string>;

let kept: { readonly theme: FramedTheme; readonly until: number } | null = null;

/** The page's theme, as it was at most a second ago. */
export function framedTheme(): FramedTheme {
  const now = performance.now();
  return kept && now < kept.until ? kept.theme : changedTheme();
}

/** The page's theme, which has just changed. */
export function changedTheme(): FramedTheme {
  const style = getComputedStyle(document.body);
  const theme = Object.fromEntries(
    VARIABLES.map(name => [name, style.getPropertyValue(name).trim()])
  );
  kept = { theme, until: performance.now() + KEPT_MS };
  return theme;
}
