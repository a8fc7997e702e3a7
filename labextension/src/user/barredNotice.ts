import { Notification } from '@jupyterlab/apputils';

let shown = '';

/** Tell a user why a command to run or save does nothing (see `barredText`). */
export function tellBarred(text: string): void {
  // However often somebody tries, one notification is enough.
  if (shown) {
    Notification.dismiss(shown);
  }
  shown = Notification.warning(text, { autoClose: 6000 });
}
