/** The channel on which the tabs of a browser tell each other that somebody has signed in or out. */
export const LOGIN_CHANNEL = 'jupyter-fleet-login';
export const SIGNED_IN = 'signed in';
export const SIGNED_OUT = 'signed out';
