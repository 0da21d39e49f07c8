import type { AnyRoute } from './route.js';
import { roles } from './access.js';
import type { JsonSchema } from './shape.js';

const error: JsonSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'what', 'why', 'todo'],
      properties: {
        code: { type: 'string', description: 'stable; the list is in docs/errors.md' },
        what: { type: 'string' },
        why: { type: 'string' },
        todo: { type: 'string' },
        detail: { type: 'string' },
        where: { type: 'string', description: 'the place in the input' },
        data: { type: 'object' },
      },
    },
  },
};

function parametersOf(place: 'path' | 'query', schema: JsonSchema): unknown[] {
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  const required = (schema['required'] ?? []) as readonly string[];
  return Object.entries(properties).map(([name, inner]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: inner,
  }));
}

function operationOf(route: AnyRoute): JsonSchema {
  const security = route.role === 'anyone' ? [] : [{ token: [] }, { session: [] }];
  const refused = {
    description: 'refused; nothing was changed',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
  if (route.kind === 'stream')
    return {
      summary: route.summary,
      'x-role': route.role,
      security,
      parameters: [
        ...parametersOf('path', route.schemas.params),
        ...parametersOf('query', route.schemas.query),
      ],
      responses: {
        200: {
          description: 'server-sent events, each with one JSON value of this form in its data',
          content: { 'text/event-stream': { schema: route.event.schema } },
        },
        default: refused,
      },
    };
  if (route.kind === 'text')
    return {
      summary: route.summary,
      'x-role': route.role,
      security,
      responses: {
        200: { description: 'text', content: { [route.contentType]: { schema: { type: 'string' } } } },
        default: refused,
      },
    };
  return {
    summary: route.summary,
    'x-role': route.role,
    security,
    parameters: [
      ...parametersOf('path', route.schemas.params),
      ...parametersOf('query', route.schemas.query),
    ],
    ...(route.schemas.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.schemas.body } } } }),
    responses: {
      200: { description: 'done', content: { 'application/json': { schema: route.schemas.reply } } },
      default: refused,
    },
  };
}

/** The OpenAPI 3.1 document, made from the table that the server serves, so that it cannot differ from it. */
export function openApiDocument(
  info: { title: string; version: string },
  routes: readonly AnyRoute[],
): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: { ...info, description: `Roles, each containing the one before: ${roles.join(', ')}.` },
    paths,
    components: {
      schemas: { Error: error },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: 'session' },
      },
    },
  };
}
