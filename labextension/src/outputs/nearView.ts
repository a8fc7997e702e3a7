/** How far below or above what is visible of the notebook, which scrolls, and of the page. */
const AHEAD = { rootMargin: '800px', scrollMargin: '800px' };

const waiting = new WeakMap<Element, () => void>();
let observer: IntersectionObserver | null = null;

/**
 * Call `act` once when an element is almost in view.
 *
 * One observer for all: browsers go through every observer of a page each time that they draw it.
 */
export function whenNearView(element: Element, act: () => void): void {
  observer ??= new (ofBrowser(IntersectionObserver))(entries => {
    for (const { isIntersecting, target } of entries) {
      const next = isIntersecting ? waiting.get(target) : undefined;
      if (next) {
        forget(target);
        next();
      }
    }
  }, AHEAD);
  waiting.set(element, act);
  observer.observe(element);
}

/** Do not wait for it any more. */
export function forget(element: Element): void {
  waiting.delete(element);
  observer?.unobserve(element);
}

/**
 * The browser's own class. JupyterLab's, which extends it, says nothing while a notebook is scrolled,
 * and a second later only what it heard last: outputs that came into view before would stay empty.
 */
function ofBrowser(observers: typeof IntersectionObserver): typeof IntersectionObserver {
  const base = Object.getPrototypeOf(observers) as typeof IntersectionObserver;
  return base.prototype === undefined ? observers : ofBrowser(base);
}
