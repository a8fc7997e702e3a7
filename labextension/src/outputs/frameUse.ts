/** How long the transient activation of a page lasts in browsers. */
const USE_MS = 5_000;
/** The events that activate a page, in Chromium and Firefox alike. */
const USES = ['keydown', 'mousedown', 'pointerdown', 'pointerup', 'touchend'];

/** What is known when a frame says that its user has clicked in it. */
export interface IFrameUse {
  /** Whether the user has used this page or one of its frames a moment ago. */
  readonly isActive: boolean;
  /** Whether the frame has the focus. */
  readonly hasFocus: boolean;
  /** Whether the pointer is over the frame. */
  readonly isHovered: boolean;
  /** How many milliseconds ago the user has used this page outside of its frames. */
  readonly elsewhere: number;
}

/**
 * Whether the user has used the frame itself. Browsers do not say in which frame a page was used, and
 * a script can give its frame the focus, but neither moves the pointer nor undoes a use elsewhere.
 */
export function isUsed({ isActive, hasFocus, isHovered, elsewhere }: IFrameUse): boolean {
  return isActive && hasFocus && (isHovered || elsewhere > USE_MS);
}

let last = -Infinity;

/** Note from now on when this page is used outside of its frames. */
export function watchUses(): void {
  for (const type of USES) {
    window.addEventListener(type, ({ timeStamp }) => (last = timeStamp), {
      capture: true,
      passive: true
    });
  }
}

/** What is known now of the use of a frame. */
export function useOf(frame: HTMLIFrameElement): IFrameUse {
  return {
    isActive: navigator.userActivation?.isActive ?? false,
    hasFocus: document.activeElement === frame,
    isHovered: frame.matches(':hover'),
    elsewhere: performance.now() - last
  };
}
