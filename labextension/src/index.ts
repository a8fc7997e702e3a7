import { account } from './user/account.js';
import { anyKeys } from './contents/anyKeysPlugin.js';
import { cellExecutor } from './kernels/cellExecutor.js';
import { connectionLost } from './kernels/connectionLost.js';
import { consoleEntry } from './kernels/consoleEntry.js';
import { consoleExecutor } from './kernels/consoleExecutor.js';
import { kernelActionsOfOthers } from './kernels/kernelActionsOfOthers.js';
import { drivePage } from './contents/drivePage.js';
import { drivePlugin } from './contents/drivePlugin.js';
import { idleWarning } from './kernels/idleWarning.js';
import { kernelDialogs } from './kernels/kernelDialogs.js';
import { kernelNames } from './kernels/kernelNames.js';
import { kernelNotice } from './kernels/kernelNotice.js';
import { lastOutputs } from './outputs/lastOutputs.js';
import { lastWords } from './kernels/lastWords.js';
import { launchesPlugin } from './launches/launchesPlugin.js';
import { longOutput } from './outputs/longOutput.js';
import { patientCells } from './kernels/patientCells.js';
import { projectsPage } from './user/projectsPage.js';
import { renderMime } from './outputs/renderMime.js';
import { replay } from './replay/replayPlugin.js';
import { roleChange } from './access/roleChange.js';
import { runningFiles } from './kernels/runningFiles.js';
import { runningKernels } from './kernels/runningKernels.js';
import { serverSettings } from './serverSettings.js';
import { shownRefusals } from './shownRefusals.js';
import { shutDown } from './kernels/shutDown.js';
import { signInDialog } from './access/signInDialog.js';
import { signInPlugin } from './user/signInPlugin.js';
import { startOptions } from './kernels/startOptionsPlugin.js';
import { streamsPlugin } from './stream/streamsPlugin.js';
import { peopleNotice } from './access/peopleNotice.js';
import { trustedComms } from './access/trustedComms.js';
import { viewerCommands } from './access/viewerCommands.js';
import { viewOnly } from './access/viewOnly.js';
import { waitingCells } from './kernels/waitingCellsPlugin.js';
import { waitingMarks } from './kernels/waitingMarks.js';

export default [
  drivePlugin,
  drivePage,
  account,
  anyKeys,
  cellExecutor,
  connectionLost,
  consoleEntry,
  consoleExecutor,
  kernelActionsOfOthers,
  idleWarning,
  kernelDialogs,
  kernelNames,
  kernelNotice,
  lastOutputs,
  lastWords,
  launchesPlugin,
  longOutput,
  patientCells,
  peopleNotice,
  projectsPage,
  renderMime,
  replay,
  roleChange,
  runningFiles,
  runningKernels,
  serverSettings,
  shownRefusals,
  shutDown,
  signInDialog,
  signInPlugin,
  startOptions,
  streamsPlugin,
  trustedComms,
  viewerCommands,
  viewOnly,
  waitingCells,
  waitingMarks
];
