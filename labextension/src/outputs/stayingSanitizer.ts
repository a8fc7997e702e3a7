import type { IRenderMime } from '@jupyterlab/rendermime';

// As sanitizers write it: no `<`, `>` or `"` within the values of attributes.
const FORM = /<(\/?)form\b[^<>]*>/g;
const TARGET = /(<(?:a|area)\b[^<>]*?) target="[^"]*"/g;
const AREA = /<area\b/g;

/**
 * Sanitizes what is drawn in this page so that no click in it leaves the page.
 *
 * JupyterLab leaves links their targets, also `_top`, areas of pictures, which have none of their own,
 * and forms, which send to the page's own address.
 */
export function stayingSanitizer(stock: IRenderMime.ISanitizer): IRenderMime.ISanitizer {
  return {
    getAutolink: () => stock.getAutolink?.() ?? true,
    allowNamedProperties: stock.allowNamedProperties,
    allowCommandLinker: stock.allowCommandLinker,
    sanitize: (dirty, options) => staying(stock.sanitize(dirty, options))
  };
}

/** Sanitized HTML without what leaves a page. JupyterLab gives links a target that have none. */
export function staying(html: string): string {
  return html
    .replace(FORM, '<$1div>')
    .replace(TARGET, '$1')
    .replace(AREA, '<area target="_blank" rel="noopener"');
}
