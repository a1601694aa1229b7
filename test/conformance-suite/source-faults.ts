import type { PlantedSource } from './planted-fault.ts';
export const SOURCE_FAULTS: readonly PlantedSource[] = [];
