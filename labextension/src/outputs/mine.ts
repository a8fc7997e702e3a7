import { framesAllOutputs } from '../user/pageUser.js';

/** What is known of an output when it is drawn. */
export interface IDrawn {
  /** Whether the user of this page has run or trusted it. */
  readonly trusted: boolean;
}

/**
 * Whether an output is drawn as JupyterLab draws the user's own: its scripts act as the user.
 *
 * @param framesAll - Whether the operator lets no output do that.
 */
export function isMine(output: IDrawn, framesAll = framesAllOutputs()): boolean {
  return output.trusted && !framesAll;
}
