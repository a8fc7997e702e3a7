import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { Contents, IDefaultDrive } from '@jupyterlab/services';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';

import { VersionedDrive } from '../contents/drive.js';
import { fleetBundle } from '../page/fleetBundle.js';
import type { SignIn } from '../user/signIn.js';
import { ISignIn } from '../user/signInPlugin.js';

/** The button that opens the login page in a new tab. */
const SIGN_IN = 'sign-in';
const RELOAD = 'reload';

export const signInDialog: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:sign-in-dialog',
  description: 'Asks to sign in again when the login has ended.',
  autoStart: true,
  requires: [ISignIn],
  optional: [IDefaultDrive, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    signIn: SignIn | null,
    drive: Contents.IDrive | null,
    translator: ITranslator | null
  ) => {
    if (!signIn) {
      return;
    }
    const trans = fleetBundle(translator);
    let shown: SignInDialog | null = null;
    let about = '';
    const show = () => {
      const dialog = new SignInDialog(signIn, trans);
      shown = dialog;
      dialog.launch().then(
        ({ button }) => {
          shown = null;
          if (button.actions.includes(RELOAD)) {
            window.location.reload();
          }
        },
        () => undefined
      );
    };
    signIn.onChanged = () => {
      const now = `${signIn.state} ${signIn.otherUser ?? ''}`;
      if (signIn.state === 'checking' || now === about) {
        return;
      }
      about = now;
      shown?.dispose();
      shown = null;
      if (signIn.state !== 'in') {
        show();
      } else if (drive instanceof VersionedDrive) {
        void drive.saveRefused();
      }
    };
    // Somebody who said "not now" wants something from a server after all.
    signIn.onRefused = () => {
      if (!shown && (signIn.state === 'out' || signIn.state === 'other')) {
        show();
      }
    };
    signIn.onChanged();
  }
};

/** A dialog that stays until this page's user is signed in. */
class SignInDialog extends Dialog<void> {
  constructor(signIn: SignIn, trans: TranslationBundle) {
    const buttons = buttonsFor(signIn, trans);
    super({
      title:
        signIn.state === 'other'
          ? trans.__('Somebody else has signed in')
          : signIn.isSignedOut
            ? trans.__('You signed out')
            : trans.__('Sign in again'),
      body: bodyFor(signIn, trans),
      buttons,
      // Enter leads to the login page; it never reloads.
      defaultButton: buttons.length - 1,
      hasClose: false
    });
    this._choices = buttons;
    this._again = signIn.state === 'other';
  }

  resolve(index: number = this._choices.length - 1): void {
    if (this._choices[index].actions.includes(SIGN_IN)) {
      window.open(loginUrl(this._again), '_blank', 'noopener');
      return;
    }
    super.resolve(index);
  }

  private readonly _choices: ReadonlyArray<Dialog.IButton>;
  private readonly _again: boolean;
}

function bodyFor(signIn: SignIn, trans: TranslationBundle): string {
  if (signIn.state !== 'other') {
    return signIn.isSignedOut
      ? trans.__(
          'You signed out in another tab. To go on here, sign in again in a new tab: this page continues where it was. If you are done, close it. Your kernels keep running; your unsaved changes are in this page alone.'
        )
      : trans.__(
          'Your login has expired, or was ended by your platform. Sign in again in a new tab, and this page continues where it was. Your kernels keep running, and your unsaved changes stay in this page.'
        );
  }
  return trans.__(
    'This page belongs to %1, but this browser is now signed in as %2. Nothing is saved or run until %1 signs in again. Reloading opens the page as %2 and drops the unsaved changes of %1.',
    signIn.user ?? '',
    signIn.otherUser ?? ''
  );
}

function buttonsFor(signIn: SignIn, trans: TranslationBundle): ReadonlyArray<Dialog.IButton> {
  if (signIn.state !== 'other') {
    return [
      Dialog.cancelButton({ label: trans.__('Not Now') }),
      Dialog.okButton({ label: trans.__('Sign In'), actions: [SIGN_IN] })
    ];
  }
  return [
    Dialog.warnButton({
      label: trans.__('Reload as %1', signIn.otherUser ?? ''),
      actions: [RELOAD]
    }),
    Dialog.okButton({
      label: trans.__('Sign In as %1', signIn.user ?? ''),
      actions: [SIGN_IN]
    })
  ];
}

function loginUrl(again: boolean): string {
  const base = PageConfig.getBaseUrl();
  const done = `${URLExt.parse(URLExt.join(base, 'login')).pathname}?done`;
  const query = `next=${encodeURIComponent(done)}`;
  return `${URLExt.join(base, 'login')}?${again ? 'again&' : ''}${query}`;
}
