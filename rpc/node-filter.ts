/** Which nodes a call may go to: those to which all that is said here applies. */
export type NodeFilter = {
  /** All of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** These values in its metadata: `{ version: '2' }`. */
  readonly meta?: Readonly<Record<string, string>> | undefined;
  readonly zone?: string | undefined;
};
