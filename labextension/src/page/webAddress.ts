/**
 * The address of another site of the web that `text` is; null if it is none.
 *
 * @param hosts - The names of the page's own hosts. No port of these is another site: whoever has
 *   written the text may listen at one of them, and cookies go to all.
 */
export function webAddress(text: unknown, hosts: readonly string[]): URL | null {
  if (typeof text !== 'string') {
    return null;
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  return isWeb && !hosts.some(host => bare(url.hostname) === bare(host)) ? url : null;
}

/** Names with a dot at their end are the same host. */
function bare(host: string): string {
  return host.toLowerCase().replace(/\.+$/, '');
}
