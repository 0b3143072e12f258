/**
 * Where a thread says that it is at work, and is told to begin nothing more. To end a thread while the native engine calls
 * back into it ends the process: an exception that nothing in C++ catches.
 */
export const BUSY = 0;
export const STOP = 1;
