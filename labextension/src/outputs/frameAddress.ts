/**
 * The address of the page for outputs.
 *
 * @param baseUrl - where the lab of this page is
 * @param frameUrl - a host name of their own for frames, as an operator has named it; empty if none
 */
export function frameAddress(baseUrl: string, frameUrl: string, page = location.href): string {
  const base = new URL(baseUrl, page);
  const path = `${base.pathname.replace(/\/+$/, '')}/fleet/frame`;
  return new URL(path, frameUrl || base).href;
}
