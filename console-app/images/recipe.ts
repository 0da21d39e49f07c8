import { insidePath } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import { dictionary, list, object, optional, text, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

const relativePath = text({
  max: limits.image_path_chars_max,
  pattern: /^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0\n]+$/,
  form: 'a path beside the description, without ..',
});

const recipeMembers = object({
  /** For buildah, podman or docker; whichever is on the machine. */
  containerfile: optional(relativePath),
  /** Debian packages with everything that they need: from this machine where they are installed, else downloaded by apt. */
  packages: optional(
    list(
      text({
        max: 100,
        pattern: /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?$/,
        form: 'the name of a Debian package',
      }),
      { max: limits.engine_variables_max },
    ),
  ),
  /** Programs of this machine, with the libraries that they need. */
  programs: optional(
    list(text({ max: limits.image_path_chars_max, pattern: /^[^\0\n-][^\0\n]*$/, form: 'a program' }), {
      max: limits.engine_variables_max,
    }),
  ),
  /** What lies beside the description, and where it goes. */
  files: optional(
    dictionary(insidePath, {
      name: /^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0\n]+$/,
      max: limits.engine_variables_max,
      form: 'a path beside the description, without ..',
    }),
  ),
});
export type Recipe = Parsed<typeof recipeMembers>;

/** How an image is built. */
export function recipeForm(value: unknown, where: string): Result<Recipe> {
  const recipe = recipeMembers(value, where);
  if (!recipe.ok) return recipe;
  const { containerfile, packages = [], programs = [], files = {} } = recipe.value;
  const own = packages.length + programs.length + Object.keys(files).length;
  if (containerfile !== undefined && own > 0)
    return refuse('bad-input', 'a containerfile says by itself what goes into the image', { where });
  if (containerfile === undefined && packages.length + programs.length === 0)
    return refuse('bad-input', 'name a containerfile, or packages or programs', { where });
  return ok(recipe.value);
}
