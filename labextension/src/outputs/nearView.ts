import { Bursts } from './bursts.js';

/** How far below or above what is visible of the notebook, which scrolls, and of the page. */
const AHEAD = { rootMargin: '800px', scrollMargin: '800px' };

const waiting = new WeakMap<Element, () => void>();
let observer: IntersectionObserver | null = null;

/** What is loaded has the page drawn again, several times. Together they share these. */
const bursts = new Bursts<Element>(elements => {
  for (const element of elements) {
    const act = waiting.get(element);
    forget(element);
    act?.();
  }
});

/**
 * Call `act` once when an element is almost in view; half a second later if many come at a time.
 *
 * One observer for all: browsers go through every observer of a page each time that they draw it.
 */
export function whenNearView(element: Element, act: () => void): void {
  observer ??= new (ofBrowser(IntersectionObserver))(entries => {
    const near = entries.filter(entry => entry.isIntersecting).map(entry => entry.target);
    near.forEach(target => observer?.unobserve(target));
    bursts.add(near);
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
