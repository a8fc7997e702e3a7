/**
 * Why this page sends a request not at all, in words for a person.
 *
 * JupyterLab shows the message of every error of its drive.
 */
export class Refusal extends Error {}
