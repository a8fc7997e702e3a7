import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents, Kernel } from '@jupyterlab/services';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import { quietly } from '../contents/quietly.js';
import { sameContent } from '../contents/sameContent.js';
import { settledOutputs } from '../contents/settledOutputs.js';
import { followKernel } from '../kernels/followKernel.js';
import { watchKernelPanels } from '../kernels/kernelPanels.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { reasonOfShutDown, SHUT_DOWN } from '../outputs/kernelDied.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { TabSet } from '../page/tabSet.js';
import { tabStorage } from '../page/tabStorage.js';
import type { KernelStream } from '../stream/kernelStream.js';
import { NO_SUCH_KERNEL } from '../stream/reconnecting.js';
import type { StreamState } from '../stream/streamState.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { framesAllOutputs, pageUser } from '../user/pageUser.js';
import { EarlierVersions } from './earlierVersion.js';
import { GoneCells } from './goneCells.js';
import { NotebookCells } from './notebookCells.js';
import { NotebookReplay } from './notebookReplay.js';
import { endScheduled } from './scheduledRequests.js';
import { SentCode } from './sentCode.js';
import { type IFileState, UnsavedOutputs } from './unsavedOutputs.js';

/** Fills the cells of notebooks whose kernels went on without them, or are used by other pages. */
export const replay: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:replay',
  description: 'Shows what kernels said while no page listened.',
  autoStart: true,
  requires: [IStreams, IKernelLaunches],
  optional: [IConsoleTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    streams: Streams | null,
    launches: KernelLaunches,
    consoles: IConsoleTracker | null,
    translator: ITranslator | null
  ) => {
    if (!streams) {
      return;
    }
    const trans = fleetBundle(translator);
    const tab = new TabSet(tabStorage(), 'jupyter-fleet:sessions');
    const user = pageUser()?.username ?? null;
    const sent = new SentCode(tabStorage(), user);
    const storage = user === null ? null : tabStorage();
    const kept = new TabSet(storage, `jupyter-fleet:comms/${user}`, MOST_COMMS);
    const guardComms = ({ comms }: KernelStream) => {
      comms.isShut = framesAllOutputs();
      comms.keep(kept);
      comms.isEarlier = request => sent.knows(request);
    };
    streams.added.connect((_, stream) => guardComms(stream));
    [...streams].forEach(guardComms);
    // A second view of a notebook shows the same outputs.
    const followed = new WeakSet<ISessionContext>();
    watchKernelPanels(app, consoles, (panel, context) => {
      if (!(panel instanceof NotebookPanel)) {
        // A console shows what was sent from it.
        followKernel(context, streams, (_, stream) => stream.release());
      } else if (!followed.has(context)) {
        followed.add(context);
        panel.disposed.connect(() => followed.delete(context));
        followNotebook(panel, streams, tab, sent, launches, app.serviceManager, trans);
      }
    });
  }
};

/** Of more comms a page forgets the oldest when it is loaded again. */
const MOST_COMMS = 1_000;
/** A page that has run something saves it within two minutes, as long as the person does not change that. */
const PATIENCE_MS = 150_000;
/** Pages differ by up to this time, so that one finds what another one has saved. */
const TURN_MS = 60_000;

interface IManagers {
  readonly kernels: Kernel.IManager;
  readonly contents: Contents.IManager;
}

function followNotebook(
  panel: NotebookPanel,
  streams: Streams,
  tab: TabSet,
  sent: SentCode,
  launches: KernelLaunches,
  { kernels, contents }: IManagers,
  trans: TranslationBundle
): void {
  const { content } = panel;
  const document = panel.context;
  const earlier = new EarlierVersions(() => content.widgets, trans);
  const cells = new NotebookCells(panel, ({ id, sharedModel }, held) =>
    earlier.mark(id, held?.source ?? null, sharedModel.getSource())
  );
  const unsaved = new UnsavedOutputs(document.model, {
    isAlone: () => isAlone(panel.sessionContext, streams, kernels),
    refresh: () => kernels.refreshRunning(),
    file: () => fileState(panel, cells, contents),
    patience: PATIENCE_MS + Math.random() * TURN_MS
  });
  const gone = new GoneCells(panel, trans);
  const updateMarks = () => earlier.update();
  const settle = () => unsaved.settle();
  let current: NotebookReplay | null = null;
  let saved = 0;
  document.saveState.connect((_, state) => {
    if (state === 'started') {
      // What is saved is read in the same task, right after this.
      quietly(document.model, () => cells.write());
      saved = cells.changes;
      unsaved.saving();
    } else if (state === 'completed') {
      unsaved.saved(true);
      if (cells.changes !== saved) {
        // JupyterLab forgets what was said while it saved.
        document.model.dirty = true;
      }
    } else if (state === 'failed') {
      unsaved.saved(false);
    }
  });
  content.modelContentChanged.connect(updateMarks);
  // Also without a kernel, which would be asked what the cells hold.
  const read = () => cells.read();
  document.fileChanged.connect(read);
  void document.ready.then(read);
  let replaced: ReturnType<typeof setTimeout> | undefined;
  content.model?.cells.changed.connect(() => {
    // JupyterLab itself moves what fills a cell that is moved.
    clearTimeout(replaced);
    replaced = setTimeout(() => current?.fillLost(), 0);
  });
  kernels.runningChanged.connect(settle);
  panel.disposed.connect(() => {
    kernels.runningChanged.disconnect(settle);
    current?.end();
    unsaved.end();
    gone.clear();
  });
  followKernel(panel.sessionContext, streams, (kernel, stream) => {
    current?.replacedBy(kernel.id);
    gone.clear();
    endScheduled(kernel);
    const next = new NotebookReplay(
      kernel,
      stream,
      cells,
      unsaved,
      tab,
      sent,
      earlier,
      gone,
      () => endReason(panel.sessionContext, kernel, stream.state, launches),
      trans
    );
    current = next;
    void document.ready.then(() => (current === next ? next.start() : undefined));
  });
}

/** Why a document's kernel has ended, empty if nobody knows; null if it has not. */
function endReason(
  { isTerminating }: ISessionContext,
  { id, status, model }: Kernel.IKernelConnection,
  state: StreamState,
  launches: KernelLaunches
): string | null {
  if (isTerminating) {
    return SHUT_DOWN;
  }
  const stage = launches.stageOf(id);
  if (stage.is !== 'dead' && state.is === 'ended' && state.code === NO_SUCH_KERNEL) {
    return reasonOfShutDown(state.by, pageUser()?.username);
  }
  if (status !== 'dead') {
    return null;
  }
  return (stage.is === 'dead' && stage.reason) || model?.reason || '';
}

/** Whether no page but this one is connected to the kernel of a document. */
function isAlone(context: ISessionContext, streams: Streams, kernels: Kernel.IManager): boolean {
  const id = context.session?.kernel?.id;
  const own = [...streams].filter(({ kernelId }) => kernelId === id).length;
  const model = [...kernels.running()].find(one => one.id === id);
  return model?.connections !== undefined && model.connections <= own;
}

/** Compare a notebook's file with what its page shows. */
async function fileState(
  { context, content }: NotebookPanel,
  cells: NotebookCells,
  contents: Contents.IManager
): Promise<IFileState> {
  const file = await contents.get(context.path, { type: 'notebook', content: true });
  quietly(context.model, () => cells.write());
  const settled = settledOutputs(content.model?.toJSON(), file.content, null);
  return {
    version: file.last_modified,
    lacksOutputs:
      (context.canSave ?? true) &&
      settled !== null &&
      !sameContent(settled, file.content, 'notebook')
  };
}
