/** In the answers of a lab: the token that the next request must carry (docs/protocols.md). */
const HEADER = 'X-Fleet-XSRF';

let told: string | null = null;

/** Remember what an answer says of the token against forged requests. */
export function learnXsrf(headers: Headers): void {
  told = headers.get(HEADER) ?? told;
}

/**
 * The token against forged requests that this page's lab accepts; null if nothing is known of it.
 *
 * The cookie is the same for all ports of a host, so another fleet or a stock Jupyter may have replaced it.
 */
export function pageXsrf(cookies: string): string | null {
  return told ?? xsrfToken(cookies);
}

/**
 * The token in the cookies of a page; null without one.
 *
 * Of several with this name, as a stock server at another path may set, the last counts: stock
 * JupyterLab takes the same.
 */
export function xsrfToken(cookies: string): string | null {
  return /(?:^|; )_xsrf=([^;]*)(?!.*; _xsrf=)/.exec(cookies)?.[1] ?? null;
}
