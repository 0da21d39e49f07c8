import { dirname, resolve } from 'node:path';
import { readFileLimited } from '../../console/daemon/files.js';
import {
  commandWords,
  engineName,
  engineSettings,
  port,
  variables,
  type EngineSettings,
} from '../../protocol/engines.js';
import { parseJson } from '../../protocol/json.js';
import { flag, object, opaqueObject, optional, text, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { recipeForm, type Recipe } from './recipe.js';

/** What is different while somebody works on it. */
const developmentForm = object({
  command: optional(commandWords),
  env: optional(variables),
  /** Where its debugger listens inside the engine. */
  debug: optional(port),
  /** Its log shows what is written to its terminal at once. */
  terminal: optional(flag),
});
export type Development = Parsed<typeof developmentForm>;

/** What a developer keeps beside the code: the settings of an engine with its name, and where its image comes from. */
export interface Description {
  readonly name: string;
  /** The folder that the description lies in. */
  readonly folder: string;
  /** An image as a folder or an archive. Absent, as `recipe` is: the image is a digest, and on the nodes already. */
  readonly source?: string;
  readonly recipe?: Recipe;
  readonly development: Development;
  readonly settingsFor: (
    digest: string,
    how?: Pick<Development, 'command' | 'env' | 'terminal'>,
  ) => Result<EngineSettings>;
}

const imageText = text({ max: 4096 });
const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function readDescription(file: string): Result<Description> {
  const content = readFileLimited(file);
  if (!content.ok) return content;
  const json = parseJson(content.value);
  const given = json.ok ? opaqueObject(json.value, file) : json;
  if (!given.ok) return given;
  const { name: nameGiven, image: imageGiven, build: buildGiven, dev: devGiven = {}, ...rest } = given.value;
  const name = engineName(nameGiven, `${file}: name`);
  if (!name.ok) return name;
  const development = developmentForm(devGiven, `${file}: dev`);
  if (!development.ok) return development;
  if ((imageGiven === undefined) === (buildGiven === undefined))
    return refuse('bad-input', 'either image or build says where the image comes from', { where: file });
  const recipe = buildGiven === undefined ? undefined : recipeForm(buildGiven, `${file}: build`);
  if (recipe?.ok === false) return recipe;
  const image = imageGiven === undefined ? undefined : imageText(imageGiven, `${file}: image`);
  if (image?.ok === false) return image;
  const stored = image !== undefined && digestPattern.test(image.value) ? image.value : undefined;
  const settingsFor: Description['settingsFor'] = (digest, how = {}) =>
    engineSettings(settingsOf(rest, stored ?? digest, how), file);
  // What is wrong with the settings is said before an image is built or sent anywhere.
  for (const how of [{}, development.value]) {
    const looked = settingsFor(`sha256:${'0'.repeat(64)}`, how);
    if (!looked.ok) return looked;
  }
  const folder = dirname(resolve(file));
  return ok({
    name: name.value,
    folder,
    development: development.value,
    settingsFor,
    ...(recipe === undefined ? {} : { recipe: recipe.value }),
    ...(image === undefined || stored !== undefined ? {} : { source: resolve(folder, image.value) }),
  });
}

function settingsOf(
  rest: Readonly<Record<string, unknown>>,
  image: string,
  { command, env, terminal }: Pick<Development, 'command' | 'env' | 'terminal'>,
): Readonly<Record<string, unknown>> {
  const before = typeof rest['env'] === 'object' && rest['env'] !== null ? rest['env'] : {};
  return {
    ...rest,
    image,
    ...(command === undefined ? {} : { command }),
    ...(env === undefined ? {} : { env: { ...before, ...env } }),
    ...(terminal === undefined ? {} : { terminal }),
  };
}
