import { NO_SUCH_KERNEL, pauseBefore } from './reconnecting.js';
import type { IKernelAnswer } from './streamState.js';

/** After a close with this code JupyterLab does not connect again. */
const FOR_GOOD = 1000;
/** How often the server is asked about a kernel that does not exist by a websocket's close code. */
const MOST_ASKED = 6;

/**
 * The code with which JupyterLab's socket closes after a stream has ended with `code`; null if the server
 * is to be asked again, a little later.
 *
 * JupyterLab connects to a kernel that does not exist again and again, as fast as it can. Of one that is
 * dead, and may be started again, it must try once to learn that.
 *
 * @param model - What the server says of the kernel; null if it does not answer.
 * @param asked - How often it has been asked.
 */
export function closeCodeOf(
  code: number,
  model: IKernelAnswer | null,
  asked: number
): number | null {
  if (code !== NO_SUCH_KERNEL || model?.state === 'dead') {
    return code;
  }
  if (model?.status === 404) {
    return FOR_GOOD;
  }
  // Its record may still be on the way out.
  return asked < MOST_ASKED ? null : code;
}

/**
 * The same, when the server has been asked.
 *
 * @param ask - Asks it; see `model`.
 */
export async function closeCode(
  code: number,
  ask: () => Promise<IKernelAnswer | null>
): Promise<number> {
  for (let asked = 0; ; asked += 1) {
    const model = asked ? await ask() : null;
    const closes = closeCodeOf(code, model, asked);
    if (closes !== null) {
      return closes;
    }
    await new Promise(resolve => setTimeout(resolve, pauseBefore(asked, Math.random())));
  }
}
