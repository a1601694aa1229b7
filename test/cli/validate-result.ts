// Validates what a command printed with --json against the published schema.
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { DemoResult, MigrationResult } from '../../src/telemetry/result.ts';
import { readText } from '../fixtures.ts';

const validate = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  strictRequired: false,
  strictTypes: false,
}).compile(JSON.parse(readText('docs/result.schema.json')));

/** The result that stdout holds and nothing else. @throws if it is not one JSON object, or not as the schema says */
export function validateResult<T extends MigrationResult | DemoResult = MigrationResult>(stdout: string): T {
  const result: unknown = JSON.parse(stdout);
  if (!validate(result)) throw new Error(`not as the schema says: ${JSON.stringify(validate.errors)}`);
  return result as T;
}
