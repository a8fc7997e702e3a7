/**
 * The token against forged requests, in the cookies of a page; null without one.
 *
 * Of several with this name, as a stock server at another path may set, the last counts: stock
 * JupyterLab takes the same.
 */
export function xsrfToken(cookies: string): string | null {
  return /(?:^|; )_xsrf=([^;]*)(?!.*; _xsrf=)/.exec(cookies)?.[1] ?? null;
}
