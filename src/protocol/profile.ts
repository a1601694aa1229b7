// Which release of the protocol a decoder follows.

/** `7.2` and `10.x` copy QEMU's leniency; `strict` is 7.2 without it. */
export const PROFILES = ['7.2', '10.x', 'strict'] as const;
/** Name of a profile. */
export type Profile = (typeof PROFILES)[number];

/** Whether a message may not come in this profile, with or without host page negotiation agreed. */
export function refuses(
  type: { readonly extension?: true; readonly since?: '10.x' },
  profile: Profile,
  extension: boolean,
): boolean {
  if (type.extension === true) return !extension;
  return type.since === '10.x' && profile !== '10.x';
}
