// Constants of host page negotiation, the one extension of the format (docs/protocol.md, rules N1...).

/** Cookie in the PING that takes the place of QEMU's `PING 1`: "HPS1". */
export const NEGOTIATION_COOKIE = 0x48505331;

/** A reason is at most so many bytes of UTF-8, so that its message stays under QEMU's 512 bytes. */
export const REASON_LIMIT_BYTES = 500;
