// The frame of the stream: header, configuration, sections and footers (wire section 1).
import { be32, be32Hex, counted, longCounted, nameList, rawBytes } from './fields.ts';
import { defineMessage, indexByCode, joinBytes, type MessageIn, type ValuesOf } from './message.ts';

/** First word of a stream: "QEVM". */
export const STREAM_MAGIC = 0x5145564d;
/** The stream version of every QEMU since 0.12. */
export const STREAM_VERSION = 3;

/** A machine type's name is refused above this length. */
export const MACHINE_NAME_LIMIT_BYTES = 256;

/** The two words at the start of a fresh migration; no type byte. */
export const HEADER = defineMessage('HEADER', {
  code: STREAM_MAGIC,
  doc: 'Starts a fresh migration on the main channel.',
  fields: { magic: be32Hex, version: be32 },
});

/** What stands in the main loop: a type byte, then the fields. Commands (0x08) have a table of their own. */
export const SECTIONS = {
  EOF: defineMessage('EOF', { code: 0x00, doc: 'Ends the stream.', fields: {} }),
  SECTION_START: defineMessage('SECTION_START', {
    code: 0x01,
    doc: 'Begins an iterable section; its payload and a footer follow.',
    fields: { sectionId: be32, idstr: counted, instanceId: be32, versionId: be32 },
  }),
  SECTION_PART: defineMessage('SECTION_PART', {
    code: 0x02,
    doc: 'Goes on with an iterable section.',
    fields: { sectionId: be32 },
  }),
  SECTION_END: defineMessage('SECTION_END', {
    code: 0x03,
    doc: 'Ends an iterable section.',
    fields: { sectionId: be32 },
  }),
  SECTION_FULL: defineMessage('SECTION_FULL', {
    code: 0x04,
    doc: 'Carries the whole state of one device.',
    fields: { sectionId: be32, idstr: counted, instanceId: be32, versionId: be32 },
  }),
  VMDESCRIPTION: defineMessage('VMDESCRIPTION', {
    code: 0x06,
    doc: 'Describes the device sections in JSON, after EOF of a precopy stream.',
    fields: { json: longCounted(16 * 1024 * 1024) },
  }),
  CONFIGURATION: defineMessage('CONFIGURATION', {
    code: 0x07,
    doc: 'Names the machine type; only directly after the header.',
    fields: { machine: longCounted(MACHINE_NAME_LIMIT_BYTES) },
  }),
  SECTION_FOOTER: defineMessage('SECTION_FOOTER', {
    code: 0x7e,
    doc: 'Follows the payload of every section.',
    fields: { sectionId: be32 },
  }),
} as const;

/** Type byte of a subsection; nothing else may begin with it where the configuration may have one. */
export const SUBSECTION = 0x05;

/** What a subsection begins with, behind its type byte. */
export const SUBSECTION_HEAD = defineMessage('SUBSECTION', {
  code: SUBSECTION,
  doc: 'Begins a subsection of the configuration.',
  fields: { subsection: counted, versionId: be32 },
});

/** The configuration's subsections by their name on the wire; the fields follow the subsection's head. */
export const CONFIGURATION_SUBSECTIONS = {
  'configuration/target-page-bits': defineMessage('TARGET_PAGE_BITS', {
    code: SUBSECTION,
    doc: 'Target page size as a power of two, where a target has several.',
    fields: { bits: be32 },
  }),
  'configuration/capabilities': defineMessage('CAPABILITIES', {
    code: SUBSECTION,
    doc: 'Validatable capabilities that are on at the source.',
    fields: { names: nameList(64) },
  }),
  'configuration/uuid': defineMessage('UUID', {
    code: SUBSECTION,
    doc: 'UUID of the VM, when it is to be validated.',
    fields: { uuid: rawBytes(16) },
  }),
} as const;

/** A decoded section head, EOF, VM description, configuration or footer. */
export type SectionRecord = MessageIn<typeof SECTIONS>;
/** A decoded subsection of the configuration. */
export type ConfigurationSubsection = MessageIn<typeof CONFIGURATION_SUBSECTIONS>;

/** Sections by their type byte. */
export const SECTION_BY_CODE = indexByCode(SECTIONS);

/** The header of a fresh migration. */
export function encodeHeader(): Uint8Array {
  return HEADER.encode({ magic: STREAM_MAGIC, version: STREAM_VERSION });
}

/** A section head, EOF, VM description, configuration or footer, with its type byte. */
export function encodeSection<N extends keyof typeof SECTIONS>(
  name: N,
  values: ValuesOf<(typeof SECTIONS)[N]['fields']>,
): Uint8Array {
  const type = SECTIONS[name];
  return joinBytes([Uint8Array.of(type.code), (type.encode as (values: unknown) => Uint8Array)(values)]);
}

/** A decoded subsection of the configuration, as it stood in its stream. */
export function encodeSubsectionRecord({ name, ...values }: ConfigurationSubsection): Uint8Array {
  const onWire = Object.entries(CONFIGURATION_SUBSECTIONS).find(([, type]) => type.name === name)![0];
  return encodeConfigurationSubsection(onWire as keyof typeof CONFIGURATION_SUBSECTIONS, values as never);
}

/** A subsection of the configuration, with type byte and head. */
export function encodeConfigurationSubsection<N extends keyof typeof CONFIGURATION_SUBSECTIONS>(
  name: N,
  values: ValuesOf<(typeof CONFIGURATION_SUBSECTIONS)[N]['fields']>,
): Uint8Array {
  const encode = CONFIGURATION_SUBSECTIONS[name].encode as (values: unknown) => Uint8Array;
  return joinBytes([
    Uint8Array.of(SUBSECTION),
    SUBSECTION_HEAD.encode({ subsection: name, versionId: 1 }),
    encode(values),
  ]);
}
