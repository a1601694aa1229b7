// docs/result.schema.json against full typed results: all of them pass, and any field more or less fails.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { DEMO, DESTINATION, SOURCE } from './sample-results.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const schemaUrl = new URL('../../../docs/result.schema.json', import.meta.url);
const schema = JSON.parse(readFileSync(schemaUrl, 'utf8')) as JsonObject;
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
const validate = ajv.compile(schema);

/** Fields that a result may lack. All others are required, `null` where unknown. */
const OPTIONAL = [
  ...['faults', 'causesNs', 'pongs', 'requests', 'touch', 'link', 'collapses', 'pagesOverTime'],
  ...['error', 'offset', 'stream', 'state', 'rule'],
];
/** Numbers that may be negative. */
const SIGNED = ['offsetNs'];
/** Objects whose keys are names, not fields. */
const MAPS = ['ramSha256', 'phases', 'causesNs'];

const samples = JSON.parse(JSON.stringify({ DESTINATION, SOURCE, DEMO })) as Record<string, JsonObject>;

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Visits each object in a value with the key under which it stands. */
function visitObjects(value: Json, key: string, visit: (object: JsonObject, key: string) => void): void {
  if (Array.isArray(value)) for (const item of value) visitObjects(item, key, visit);
  if (!isObject(value)) return;
  visit(value, key);
  for (const [name, child] of Object.entries(value)) visitObjects(child, name, visit);
}

t.test('full results are valid, and without what is optional too', async (t) => {
  for (const [name, sample] of Object.entries(samples)) {
    t.ok(validate(sample), `${name}: ${ajv.errorsText(validate.errors)}`);
    const {
      faults,
      pongs: _pongs,
      requests: _requests,
      touch: _touch,
      collapses: _collapses,
      pagesOverTime: _,
      link,
      ...lean
    } = sample;
    t.ok(
      faults !== undefined && link !== undefined && validate(lean),
      `${name} without what was not asked for`,
    );
  }
});

t.test('no field may be missing', async (t) => {
  for (const [name, sample] of Object.entries(samples)) {
    visitObjects(sample, name, (object, key) => {
      if (MAPS.includes(key)) return;
      for (const [field, value] of Object.entries(object)) {
        if (OPTIONAL.includes(field)) continue;
        delete object[field];
        t.notOk(validate(sample), `${name}: ${key} without ${field}`);
        object[field] = value;
      }
    });
    t.ok(validate(sample), 'all put back');
  }
});

t.test('no field may be added, and no name may hold another type', async (t) => {
  for (const [name, sample] of Object.entries(samples)) {
    visitObjects(sample, name, (object, key) => {
      object['unexpected'] = MAPS.includes(key) ? 'not a hash nor a duration' : 1;
      t.notOk(validate(sample), `${name}: ${key} with another field`);
      delete object['unexpected'];
    });
    t.ok(validate(sample), 'all taken out again');
  }
});

t.test('no number may be negative, and no field of another type', async (t) => {
  const { DEMO: sample } = samples;
  visitObjects(sample!, 'DEMO', (object, key) => {
    for (const [field, value] of Object.entries(object)) {
      if (typeof value === 'number' && !SIGNED.includes(field)) {
        object[field] = -1;
        t.notOk(validate(sample), `${key}.${field} = -1`);
      }
      object[field] = Array.isArray(value) ? {} : [];
      t.notOk(validate(sample), `${key}.${field} of another type`);
      object[field] = value;
    }
  });
});

t.test('claims that contradict each other are refused', async (t) => {
  const { DESTINATION: done, SOURCE: failed, DEMO: demo } = samples;
  const { error, ...unexplained } = failed!;
  const { scenario, steps, ...plain } = demo!;
  const refused: Record<string, Json> = {
    'verified, but failed': { ...failed!, guestVerified: true, ramSha256: done!['ramSha256']! },
    'verified, but not hashed': { ...done!, ramSha256: {} },
    'failed without an error': unexplained,
    'completed with an error': { ...done!, error: error! },
    'a demo without steps': { ...plain, scenario: scenario! },
    'a destination with steps': { ...done!, scenario: scenario!, steps: steps! },
    'a demo as an end of a step': { ...demo!, steps: [{ ...(steps as JsonObject[])[0]!, source: demo! }] },
    'a status of its own': { ...done!, status: 'active' },
    '23 buckets': {
      ...done!,
      stalls: { ...(done!['stalls'] as JsonObject), latencyBuckets: new Array(23).fill(0) },
    },
    'half a hash': { ...done!, ramSha256: { 'pc.ram': '9f86d081' } },
  };
  for (const [claim, result] of Object.entries(refused)) t.notOk(validate(result), claim);
});

/** Walks a schema beside a sample and gathers which fields of each object schema the sample has. */
function gatherFields(node: JsonObject, value: Json, seen: Map<JsonObject, Set<string>>): void {
  if (typeof node['$ref'] === 'string') {
    const name = node['$ref'].replace('#/$defs/', '');
    gatherFields((schema['$defs'] as JsonObject)[name] as JsonObject, value, seen);
  }
  for (const branch of [node['anyOf'], node['allOf']]) {
    if (Array.isArray(branch)) for (const inner of branch) gatherFields(inner as JsonObject, value, seen);
  }
  if (Array.isArray(value) && isObject(node['items']))
    for (const item of value) gatherFields(node['items'], item, seen);
  const { properties } = node;
  if (!isObject(value) || !isObject(properties) || node['additionalProperties'] !== false) return;
  const fields = seen.get(node) ?? new Set();
  seen.set(node, fields);
  for (const [field, child] of Object.entries(value)) {
    fields.add(field);
    if (isObject(properties[field])) gatherFields(properties[field], child, seen);
  }
}

t.test('the fields of the schema are those of the types, each described with its unit', async (t) => {
  const seen = new Map<JsonObject, Set<string>>();
  for (const sample of Object.values(samples)) gatherFields(schema, sample, seen);
  let objectSchemas = 0;
  visitObjects(schema, 'schema', (node) => {
    if (node['additionalProperties'] !== false) return;
    objectSchemas++;
    const properties = node['properties'] as JsonObject;
    const title = String(node['description']);
    t.strictSame(new Set(Object.keys(properties)), seen.get(node), title);
    for (const [field, property] of Object.entries(properties)) {
      const { description } = property as JsonObject;
      t.equal(typeof description, 'string', `${title} ${field} is described`);
      const unit = /PerSecond$/.test(field)
        ? /bytes\/s|per second/
        : /Ns$/.test(field)
          ? /\bns\b/
          : /Bytes$|^bytes[A-Z]/.test(field)
            ? /in bytes/
            : /./;
      t.match(String(description), unit, `${title} ${field} tells its unit`);
    }
  });
  t.equal(seen.size, objectSchemas, 'the samples reach every object of the schema');
});
