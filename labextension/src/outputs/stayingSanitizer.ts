import type { IRenderMime } from '@jupyterlab/rendermime';

// As sanitizers write it: values of attributes are quoted and have no `<`, `>` or `"`.
const ATTRIBUTE = '\\s+([^\\s<>"\'=/]+)(?:="([^<>"]*)")?';
const TAG = new RegExp(`<(?:(/?)([a-zA-Z][^\\s<>"'=/]*)((?:${ATTRIBUTE})*)\\s*(/?)>)?`, 'g');

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

/**
 * Sanitized HTML without what leaves a page. JupyterLab gives links a target that have none.
 *
 * Each tag is read whole, one attribute after the other, because the value of one may look like the
 * next (`title=" target="`). A `<` that begins no tag is written as text.
 */
export function staying(html: string): string {
  return html.replace(
    TAG,
    (
      text: string,
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
      switch (tag.toLowerCase()) {
        case 'form':
          return `<${end}div>`;
        case 'a':
          return `<${end}${tag}${withoutTarget(attributes)}${closed && ' /'}>`;
        case 'area': {
          const own = end ? '' : ' target="_blank" rel="noopener"';
          return `<${end}${tag}${own}${withoutTarget(attributes)}${closed && ' /'}>`;
        }
        default:
          return text;
      }
    }
  );
}

function withoutTarget(attributes: string): string {
  return attributes.replace(new RegExp(ATTRIBUTE, 'g'), (attribute, name: string) =>
    name.toLowerCase() === 'target' ? '' : attribute
  );
}
