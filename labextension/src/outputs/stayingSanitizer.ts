import type { IRenderMime } from '@jupyterlab/rendermime';

// As sanitizers write it: values of attributes are quoted and have no `<`, `>` or `"`.
const ATTRIBUTE = '\\s+([^\\s<>"\'=/]+)(?:="([^<>"]*)")?';
const TAG = new RegExp(`<(?:(/?)([a-zA-Z][^\\s<>"'=/]*)((?:${ATTRIBUTE})*)\\s*(/?)>)?`, 'g');

/**
 * Sanitizes what is drawn in this page so that no click in it leaves the page or runs a command.
 *
 * JupyterLab leaves links their targets, also `_top`, areas of pictures, which have none of their own,
 * and forms, which send to the page's own address. It leaves command links too, which run any of its
 * commands: it asks first only while the notebook is untrusted, which ends when all code cells in it
 * are the user's, although its Markdown is of others.
 */
export function stayingSanitizer(stock: IRenderMime.ISanitizer): IRenderMime.ISanitizer {
  return {
    getAutolink: () => stock.getAutolink?.() ?? true,
    allowNamedProperties: stock.allowNamedProperties,
    allowCommandLinker: false,
    sanitize: (dirty, options) => staying(stock.sanitize(dirty, options))
  };
}

/**
 * Sanitized HTML without what leaves a page or runs commands. JupyterLab gives links a target that have
 * none.
 *
 * Each tag is read whole, one attribute after the other, because the value of one may look like the
 * next (`title=" target="`). A `<` that begins no tag is written as text.
 */
export function staying(html: string): string {
  return html.replace(
    TAG,
    (
      _tag: string,
      end: string,
      tag: string | undefined,
      attributes: string,
      _name: unknown,
      _value: unknown,
      closed: string
    ) => {
      if (tag === undefined) {
        return '&lt;';
      }
      const name = tag.toLowerCase();
      if (name === 'form') {
        return `<${end}div>`;
      }
      const isLink = name === 'a' || name === 'area';
      const blank = name === 'area' && !end ? ' target="_blank" rel="noopener"' : '';
      const left = attributes.replace(new RegExp(ATTRIBUTE, 'g'), (attribute, key: string) =>
        key.toLowerCase().startsWith('data-commandlinker-') ||
        (isLink && key.toLowerCase() === 'target')
          ? ''
          : attribute
      );
      return `<${end}${tag}${blank}${left}${closed && ' /'}>`;
    }
  );
}
