import { isReady } from './frameMessages.js';

/** A frame in the document. */
export interface IAttachedFrame {
  /** What is loaded in it; null before that. */
  readonly window: Window | null;
  /** Its page listens. */
  onReady(): void;
}

const attached = new Set<IAttachedFrame>();

/**
 * Tell a frame when its page listens.
 *
 * One listener for all: what is drawn in frames may send any number of messages, and each would go to
 * as many listeners as the page has frames.
 */
export function addFrame(frame: IAttachedFrame): void {
  if (attached.size === 0) {
    window.addEventListener('message', onMessage);
  }
  attached.add(frame);
}

/** It leaves the document. */
export function removeFrame(frame: IAttachedFrame): void {
  attached.delete(frame);
  if (attached.size === 0) {
    window.removeEventListener('message', onMessage);
  }
}

function onMessage({ data, source }: MessageEvent): void {
  if (!source || !isReady(data)) {
    return;
  }
  for (const frame of attached) {
    // The origin of all frames is `null`; only the window tells them apart.
    if (frame.window === source) {
      frame.onReady();
      return;
    }
  }
}
