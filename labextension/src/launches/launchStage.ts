/** A launch as the server describes it while it lasts; see docs/protocols.md. */
export interface ILaunch {
  /** `queued`, `scheduling`, `pulling`, `starting`, `connecting`; later servers may add others. */
  readonly phase: string;
  /** The cluster's words, one line; empty if there are none. */
  readonly message?: string;
  /** The place in a queue; 1 is the next one. */
  readonly position?: number | null;
  /** When this phase began, in ISO 8601. */
  readonly since?: string;
}

/** What a kernel's model says of its start and end. */
export interface IStageModel {
  readonly state?: string;
  readonly execution_state?: string;
  readonly launch?: ILaunch | null;
  /** Whether it is dead because it could not be started; servers of the version before omit it. */
  readonly launch_failed?: boolean;
  readonly reason?: string;
}

/** What a kernel's message says, as far as the stage goes. */
export interface IStageMessage {
  readonly channel?: string;
  readonly header: { readonly msg_type: string };
  readonly content: unknown;
}

/** How far a kernel has come. */
export type Stage =
  /** The page has not heard of it yet. */
  | { readonly is: 'unknown' }
  | { readonly is: 'launching'; readonly launch: ILaunch }
  /** It takes cells; also while it is busy or restarting. */
  | { readonly is: 'running' }
  /** It may still run, but nothing that the page sends would reach it. */
  | { readonly is: 'unreachable'; readonly reason: string }
  | { readonly is: 'dead'; readonly reason: string; readonly whileLaunching: boolean };

export const UNKNOWN: Stage = { is: 'unknown' };
const RUNNING: Stage = { is: 'running' };

/** The stage after the server's model of the kernel has come. */
export function stageOfModel(before: Stage, model: IStageModel): Stage {
  const reason = model.reason ?? '';
  if (model.state === 'dead' || model.execution_state === 'dead') {
    const known = before.is === 'dead' ? before.reason : '';
    return dead(before, reason || known, model.launch_failed);
  }
  if (model.state === 'unreachable') {
    return { is: 'unreachable', reason };
  }
  if (model.state === 'launching') {
    // The list may have been on its way when the kernel answered.
    return before.is === 'running' ? before : launching(model.launch);
  }
  return RUNNING;
}

/** The stage after a message of the kernel has come, or one that the lab sends in its place. */
export function stageOfMessage(before: Stage, message: IStageMessage): Stage {
  const type = message.header.msg_type;
  if (type === 'kernel_info_reply') {
    // An interrupt during the launch answers what waits, but not in the kernel's name.
    const { status } = message.content as { status?: string };
    return status === 'aborted' ? before : RUNNING;
  }
  if (type !== 'status') {
    return before;
  }
  const content = message.content as {
    execution_state: string;
    launch?: ILaunch | null;
    reason?: unknown;
  };
  if (content.execution_state === 'dead') {
    return dead(before, typeof content.reason === 'string' ? content.reason : '');
  }
  return content.launch ? launching(content.launch) : before;
}

function launching(launch: ILaunch | null | undefined): Stage {
  return { is: 'launching', launch: launch ?? { phase: 'starting' } };
}

/** @param failed - Whether its launch failed; absent if the server does not say. */
function dead(before: Stage, reason: string, failed?: boolean): Stage {
  const heard = before.is === 'dead' ? before.whileLaunching : before.is === 'launching';
  return { is: 'dead', reason, whileLaunching: failed ?? heard };
}

/** Whether two stages look the same to a person. */
export function sameStage(one: Stage, other: Stage): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
