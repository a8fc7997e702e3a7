import type { KernelMessage } from '@jupyterlab/services';

import { webAddress } from '../page/webAddress.js';

type Message = KernelMessage.IMessage;
type Page = Pick<Location, 'hostname' | 'protocol'>;

/**
 * A message of a kernel whose links for the Help menu lead to other sites of the web.
 *
 * JupyterLab shows them in frames that may load from every port of the page's host. On a page with TLS
 * it opens those without in tabs that can lead the page elsewhere.
 */
export function withWebLinks(message: Message, page?: Page): Message {
  const { help_links } = message.content as { help_links?: unknown };
  if (message.header.msg_type !== 'kernel_info_reply' || help_links === undefined) {
    return message;
  }
  const links: unknown[] = Array.isArray(help_links) ? help_links : [];
  const kept = links.filter(link => leadsElsewhere(link, page ?? location));
  return { ...message, content: { ...message.content, help_links: kept } };
}

function leadsElsewhere(link: unknown, page: Page): boolean {
  const { text, url } = (link ?? {}) as { text?: unknown; url?: unknown };
  const address = webAddress(url, [page.hostname]);
  const isSafe = address?.protocol === 'https:' || page.protocol === 'http:';
  return address !== null && isSafe && typeof text === 'string';
}
