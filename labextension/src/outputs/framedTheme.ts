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

/** What frames have of the theme: values, since nothing of it can be loaded there. */
export type FramedTheme = Record<string, string>;

export function framedTheme(): FramedTheme {
  const style = getComputedStyle(document.body);
  return Object.fromEntries(VARIABLES.map(name => [name, style.getPropertyValue(name).trim()]));
}
