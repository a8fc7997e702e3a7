import { Notification } from '@jupyterlab/apputils';

let shown = '';

/** Tell somebody who tried to run or save something why nothing happens (see `barredText`). */
export function tellBarred(text: string): void {
  // However often somebody tries, one notification is enough.
  if (shown) {
    Notification.dismiss(shown);
  }
  shown = Notification.warning(text, { autoClose: 6000 });
}
