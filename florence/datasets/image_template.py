"""Paths of images that a data set makes from the fields of its annotations."""


def path_from_template(template: str, **fields: object) -> str:
    """The path of an image.

    Args:
        template: With names of fields in braces, such as `'{subset}/{image_id:012d}.jpg'`.
        fields: What the names stand for.

    Raises:
        ValueError: If the template names another field, or formats one in a way that its type does not know.
    """
    try:
        return template.format(**fields)
    except (KeyError, IndexError, ValueError) as error:
        known = ', '.join(f'{name}={value!r}' for name, value in fields.items())
        problem = f'{type(error).__name__}: {error}'
        raise ValueError(f'image_template {template!r} does not fit: it may use {known} ({problem}).') from None
