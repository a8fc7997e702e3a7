import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  ISessionContext,
  ISessionContextDialogs,
  SessionContextDialogs
} from '@jupyterlab/apputils';
import { type Kernel, KernelAPI, type Session } from '@jupyterlab/services';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { ISignal, Signal } from '@lumino/signaling';

import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { stillLaunching } from '../launches/stillLaunching.js';
import { tellBarred } from '../user/barredNotice.js';
import { barredText } from '../user/barredText.js';
import { askToRestart } from './endingKernels.js';
import type { IKernelChoice } from './kernelStarts.js';
import { livingOnly } from './livingKernels.js';
import { OptionsBox } from './optionsBox.js';
import { inFleet, pageUser } from '../user/pageUser.js';
import { IStartOptions, type StartOptions } from './startOptions.js';
import {
  IKernelOwner,
  isOfAnotherAlone,
  ISessionOwner,
  nameOfSession,
  startedByOther
} from './whose.js';

/** JupyterLab's questions about kernels; they offer none to viewers and tell when they end. */
export class KernelDialogs extends SessionContextDialogs implements IKernelChoice<ISessionContext> {
  constructor(
    options: ISessionContext.IDialogsOptions,
    sessions: Session.IManager,
    launches: KernelLaunches,
    startOptions: StartOptions,
    trans: TranslationBundle
  ) {
    super(options);
    this._sessions = sessions;
    this._launches = launches;
    this._startOptions = startOptions;
    this._trans = trans;
  }

  get ended(): ISignal<this, ISessionContext> {
    return this._ended;
  }

  isOpen(context: ISessionContext): boolean {
    return this._open.has(context);
  }

  hasEnded(context: ISessionContext): boolean {
    return this._hadOne.has(context);
  }

  async selectKernel(context: ISessionContext): Promise<void> {
    const refusal = barredText(pageUser(), context.path, this._trans);
    if (refusal) {
      tellBarred(refusal);
      return;
    }
    this._open.set(context, (this._open.get(context) ?? 0) + 1);
    try {
      const box = new OptionsBox(this._startOptions, this._trans);
      const me = pageUser()?.username ?? '';
      const isOut = (kernel: IKernelOwner) =>
        this._launches.stageOf(kernel.id).is === 'dead' || isOfAnotherAlone(kernel, me);
      const asking = asksForOptions(context, this._startOptions, box);
      const selected = super.selectKernel(livingOnly(asking, isOut));
      // The dialog is there by now, if one opens.
      box.stop();
      await selected;
    } finally {
      const left = this._open.get(context)! - 1;
      if (left) {
        this._open.set(context, left);
      } else {
        this._open.delete(context);
      }
      this._hadOne.add(context);
      this._ended.emit(context);
    }
  }

  async restart(
    context: ISessionContext,
    options?: ISessionContext.IRestartOptions
  ): Promise<boolean> {
    const refusal = barredText(pageUser(), context.path, this._trans);
    if (refusal) {
      tellBarred(refusal);
      return false;
    }
    const connection = context.session;
    const kernel = connection?.kernel;
    const ask = (id: string) => KernelAPI.getKernelModel(id, connection?.serverSettings);
    if (kernel && (await stillLaunching(this._launches, kernel.id, ask))) {
      // No variables are lost, only the cells that wait.
      return restartNow(context, options);
    }
    if (context.isDisposed) {
      return false;
    }
    const session = this._modelOf(context);
    const lives = kernel && kernel.status !== 'dead';
    if (!session || !lives || !startedByOther(session, pageUser()?.username ?? '')) {
      return super.restart(context, options);
    }
    const name = nameOfSession(session);
    const person = session.kernel?.username ?? name.person;
    if (!(await askToRestart({ ...name, person }, this._trans)) || context.isDisposed) {
      return false;
    }
    return restartNow(context, options);
  }

  /** As the server describes the session of a document. */
  private _modelOf(context: ISessionContext): ISessionOwner | undefined {
    const running = [...this._sessions.running()] as ISessionOwner[];
    return running.find(({ id }) => id === context.session?.id);
  }

  private readonly _sessions: Session.IManager;
  private readonly _launches: KernelLaunches;
  private readonly _startOptions: StartOptions;
  private readonly _trans: TranslationBundle;
  private readonly _ended = new Signal<this, ISessionContext>(this);
  /** How many choices are open for a context: a click and a start may ask at the same time. */
  private readonly _open = new Map<ISessionContext, number>();
  private readonly _hadOne = new WeakSet<ISessionContext>();
}

async function restartNow(
  context: ISessionContext,
  options: ISessionContext.IRestartOptions | undefined
): Promise<boolean> {
  await options?.onBeforeRestart?.();
  await context.restartKernel();
  return true;
}

/** A context in which a kernel is started with options, if the box says so. */
function asksForOptions(
  context: ISessionContext,
  options: StartOptions,
  box: OptionsBox
): ISessionContext {
  const changeKernel = (model: Partial<Kernel.IModel> = {}) =>
    box.isChecked
      ? options.ask(context, model.name).then(() => context.session?.kernel ?? null)
      : context.changeKernel(model);
  return new Proxy(context, {
    get: (target, key) => {
      const value: unknown =
        key === 'changeKernel' ? changeKernel : Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target)
  });
}

/** Replaces JupyterLab's own plugin; without the fleet it provides what that one provides. */
export const kernelDialogs: JupyterFrontEndPlugin<ISessionContext.IDialogs> = {
  id: 'jupyter-fleet:kernel-dialogs',
  description: 'Asks about kernels, and tells viewers that they may look only.',
  autoStart: true,
  provides: ISessionContextDialogs,
  requires: [IKernelLaunches, IStartOptions],
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    launches: KernelLaunches,
    startOptions: StartOptions,
    translator: ITranslator | null,
    settingRegistry: ISettingRegistry | null
  ) => {
    const options = { translator: translator ?? nullTranslator, settingRegistry };
    return inFleet()
      ? new KernelDialogs(
          options,
          app.serviceManager.sessions,
          launches,
          startOptions,
          options.translator.load('jupyter_fleet')
        )
      : new SessionContextDialogs(options);
  }
};
