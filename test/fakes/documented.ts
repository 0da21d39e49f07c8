import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

/** The OpenAPI document of a daemon, and whether an answer of that daemon is as the document says, by a validator that is not ours. */
export class Documented {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #forms = new Map<string, ValidateFunction>();
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;

  constructor(document: Readonly<Record<string, unknown>>) {
    this.paths = document['paths'] as Documented['paths'];
    this.#ajv.addSchema({ $id: 'https://here/', ...document });
  }

  /** What is wrong with an answer to a call of this line of the document; nothing, when it is as it says. */
  faultsOf(method: string, path: string, answer: Said): readonly string[] {
    const responses = this.paths[path]?.[method.toLowerCase()]?.responses;
    if (!responses) return ['the document does not know this route'];
    const which = answer.status === 200 ? '200' : 'default';
    const kind = answer.type.split(';')[0] ?? '';
    const content = Object.entries(responses[which]?.content ?? {});
    const said = content.find(([type]) => type.split(';')[0] === kind);
    if (!said) return [`${kind} where ${content.map(([type]) => type).join(', ')} is documented`];
    if (kind !== 'application/json') return [];
    const check = this.#formAt(path, method.toLowerCase(), which, said[0]);
    return check(answer.body) ? [] : (check.errors ?? []).map((one) => `${one.instancePath} ${one.message}`);
  }

  #formAt(...[path, method, which, type]: readonly [string, string, string, string]): ValidateFunction {
    const steps = ['paths', path, method, 'responses', which, 'content', type, 'schema'];
    const pointer = steps
      .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const known = this.#forms.get(pointer) ?? this.#ajv.compile({ $ref: `https://here/#/${pointer}` });
    this.#forms.set(pointer, known);
    return known;
  }
}

/** An answer as it came. */
export interface Said {
  readonly status: number;
  /** Its content type. */
  readonly type: string;
  readonly body: unknown;
}
