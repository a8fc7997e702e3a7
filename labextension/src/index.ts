import { account } from './account.js';
import { cellExecutor } from './cellExecutor.js';
import { connectionLost } from './connectionLost.js';
import { consoleEntry } from './consoleEntry.js';
import { drivePage } from './drivePage.js';
import { drivePlugin } from './drivePlugin.js';
import { idleWarning } from './idleWarning.js';
import { kernelDialogs } from './kernelDialogs.js';
import { kernelEnd } from './kernelEnd.js';
import { kernelNames } from './kernelNames.js';
import { lastOutputs } from './lastOutputs.js';
import { longOutput } from './longOutput.js';
import { projectsPage } from './projectsPage.js';
import { roleChange } from './roleChange.js';
import { serverSettings } from './serverSettings.js';
import { shownRefusals } from './shownRefusals.js';
import { shutDown } from './shutDown.js';
import { signInDialog } from './signInDialog.js';
import { signInPlugin } from './signInPlugin.js';
import { viewerCommands } from './viewerCommands.js';
import { viewOnly } from './viewOnly.js';

export default [
  drivePlugin,
  drivePage,
  account,
  cellExecutor,
  connectionLost,
  consoleEntry,
  idleWarning,
  kernelDialogs,
  kernelEnd,
  kernelNames,
  lastOutputs,
  longOutput,
  projectsPage,
  roleChange,
  serverSettings,
  shownRefusals,
  shutDown,
  signInDialog,
  signInPlugin,
  viewerCommands,
  viewOnly
];
