import { ISignal, Signal } from '@lumino/signaling';

import {
  IStageMessage,
  IStageModel,
  sameStage,
  Stage,
  stageOfMessage,
  stageOfModel,
  UNKNOWN
} from './launchStage.js';

/** A list of models that is refreshed from time to time. */
export interface IModelList<T> {
  running(): Iterable<T>;
  readonly runningChanged: ISignal<unknown, unknown>;
}

type KernelModel = IStageModel & { readonly id: string };

/** A kernel connection as far as its stage goes. */
export interface IHeardKernel {
  readonly id: string;
  readonly anyMessage: ISignal<
    unknown,
    { readonly msg: IStageMessage; readonly direction: 'send' | 'recv' }
  >;
}

/**
 * How far each kernel has come, by the page's lists of kernels and sessions and by what the open
 * documents' kernels say.
 */
export class KernelLaunches {
  constructor(
    kernels: IModelList<KernelModel>,
    sessions: IModelList<{ readonly kernel: KernelModel | null }>
  ) {
    const readKernels = () => this._readAll(kernels.running());
    // JupyterLab keeps the kernel of a session as it was at first: what the other list has is newer.
    const readSessions = () => {
      const known = new Set([...kernels.running()].map(({ id }) => id));
      const inSessions = [...sessions.running()].flatMap(({ kernel }) => kernel ?? []);
      this._readAll(inSessions.filter(({ id }) => !known.has(id)));
    };
    kernels.runningChanged.connect(readKernels);
    sessions.runningChanged.connect(readSessions);
    readKernels();
    readSessions();
  }

  /** The stage of the kernel with this id has changed. */
  get changed(): ISignal<this, string> {
    return this._changed;
  }

  stageOf(id: string): Stage {
    return this._stages.get(id) ?? UNKNOWN;
  }

  /** Listen to a kernel for as long as its connection lives. */
  listen(kernel: IHeardKernel): void {
    if (!this._heard.has(kernel)) {
      this._heard.add(kernel);
      kernel.anyMessage.connect((_, { msg, direction }) => {
        if (direction === 'recv') {
          this._set(kernel.id, stageOfMessage(this.stageOf(kernel.id), msg));
        }
      });
    }
  }

  /** Take what the server says of a kernel. */
  read(model: KernelModel): void {
    this._set(model.id, stageOfModel(this.stageOf(model.id), model));
  }

  private _readAll(models: Iterable<KernelModel>): void {
    for (const model of models) {
      this.read(model);
    }
  }

  private _set(id: string, stage: Stage): void {
    if (!sameStage(this.stageOf(id), stage)) {
      this._stages.set(id, stage);
      this._changed.emit(id);
    }
  }

  private readonly _stages = new Map<string, Stage>();
  private readonly _heard = new WeakSet<IHeardKernel>();
  private readonly _changed = new Signal<this, string>(this);
}
