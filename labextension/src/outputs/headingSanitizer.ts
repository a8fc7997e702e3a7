import type { IRenderMime } from '@jupyterlab/rendermime';

const TAGS = [
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'a',
  'b',
  'code',
  'em',
  'i',
  'p',
  'span',
  'strong'
];

/**
 * Sanitizes HTML of which only the headings are wanted: nothing of it is loaded.
 *
 * JupyterLab's table of contents takes the sanitizer of a notebook's registry of renderers, and puts
 * the HTML of all outputs into the page to find their headings. Their pictures would be loaded then
 * with this user's cookies, also those of framed outputs.
 */
export function headingSanitizer(stock: IRenderMime.ISanitizer): IRenderMime.ISanitizer {
  return {
    getAutolink: () => stock.getAutolink?.() ?? true,
    allowNamedProperties: stock.allowNamedProperties,
    allowCommandLinker: false,
    sanitize: (dirty, options) =>
      stock.sanitize(dirty, {
        ...options,
        allowedTags: TAGS,
        // All styles go: they can name pictures.
        allowedStyles: { '*': {} }
      })
  };
}
