/**
 * Why this page does not send a request, as a message for the user.
 *
 * JupyterLab shows the message of every error of its drive.
 */
export class Refusal extends Error {}
