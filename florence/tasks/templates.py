"""Prompt templates: sentences with a gap, `{}`, that a class name or a short text fills.

Two uses. In training, Florence (arXiv 2111.11432, section 2.2) expands descriptions of one or two words with
a template drawn at random; the paper quotes two ("A photo of the [WORD]", "A cropped photo of [WORD]"), the
rest of `EXPANSION_TEMPLATES` is ours. In zero-shot classification (section 3.1) the class embedding is the
mean over a set of templates; the sets below are the ones published with CLIP (arXiv 2103.00020) for the
paper's twelve data sets, UCF101 and Kinetics, in their wording, wrong articles ("a photo of a airplane")
included, because figures are compared with it.
"""

from functools import lru_cache

GAP = '{}'

EXPANSION_TEMPLATES = (
    'a photo of the {}.',
    'a cropped photo of {}.',
    'a photo of a {}.',
    'a picture of {}.',
    'an image of the {}.',
    'a close-up of the {}.',
    'there is a {} in this photo.',
    'this is {}.',
)


def _with_both_articles(*forms: str) -> tuple[str, ...]:
    """All forms with `<a>` read as "a", then all forms with `<a>` read as "the"."""
    return tuple(form.replace('<a>', article) for article in ('a', 'the') for form in forms)


_CIFAR = _with_both_articles(
    'a photo of <a> {}.',
    'a blurry photo of <a> {}.',
    'a black and white photo of <a> {}.',
    'a low contrast photo of <a> {}.',
    'a high contrast photo of <a> {}.',
    'a bad photo of <a> {}.',
    'a good photo of <a> {}.',
    'a photo of <a> small {}.',
    'a photo of <a> big {}.',
)

_CALTECH101 = _with_both_articles(
    'a photo of <a> {}.',
    'a painting of <a> {}.',
    '<a> plastic {}.',
    'a sculpture of <a> {}.',
    'a sketch of <a> {}.',
    'a tattoo of <a> {}.',
    '<a> toy {}.',
    'a rendition of <a> {}.',
    '<a> embroidered {}.',
    '<a> cartoon {}.',
    '<a> {} in a video game.',
    '<a> plushie {}.',
    '<a> origami {}.',
    'art of <a> {}.',
    'graffiti of <a> {}.',
    'a drawing of <a> {}.',
    'a doodle of <a> {}.',
)

_CARS = (
    'a photo of a {}.',
    'a photo of the {}.',
    'a photo of my {}.',
    'i love my {}!',
    'a photo of my dirty {}.',
    'a photo of my clean {}.',
    'a photo of my new {}.',
    'a photo of my old {}.',
)

_KINDS = ('photo', 'video', 'example', 'demonstration')
_WAYS = ('', 'using ', 'doing ', 'during ', 'performing ', 'practicing ')

# Kinetics-700's, for all sets of Kinetics.
_KINETICS = tuple(f'a {kind} of {who}{{}}.' for kind in _KINDS for who in ('', *(f'a person {way}' for way in _WAYS)))
_UCF101 = tuple(f'a {kind} of {article} person {way}{{}}.' for way in _WAYS for article in ('a', 'the') for kind in _KINDS)

TEMPLATE_SETS: dict[str, tuple[str, ...]] = {
    'name_only': (GAP,),
    'simple': ('a photo of a {}.',),
    'expansion': EXPANSION_TEMPLATES,
    'aircraft': _with_both_articles('a photo of <a> {}, a type of aircraft.'),
    'caltech101': _CALTECH101,
    'cars': _CARS,
    'cifar10': _CIFAR,
    'cifar100': _CIFAR,
    'digit_clips': (
        'a zero {}',
        'a one {}',
        'a two {}',
        'a three {}',
        'a four {}',
        'a five {}',
        'a six {}',
        'a seven {}',
        'an eight {}',
        'a nine {}',
    ),  # fmt: skip
    'digit_scenes': ('a {}', *EXPANSION_TEMPLATES),
    'digits': ('a photo of the number: "{}".',),
    'dtd': _with_both_articles(*(f'a photo of <a> {{}} {noun}.' for noun in ('texture', 'pattern', 'thing', 'object'))),
    'flowers102': ('a photo of a {}, a type of flower.',),
    'food101': ('a photo of {}, a type of food.',),
    'kinetics': _KINETICS,
    'pets': ('a photo of a {}, a type of pet.',),
    'stl10': _with_both_articles('a photo of <a> {}.'),
    'sun397': _with_both_articles('a photo of <a> {}.'),
    'ucf101': _UCF101,
    'voc2007': ('a photo of a {}.',),
}
"""Sets by name, short sets of CLIP's data sets and our own; `'openai_imagenet'` is read from open_clip."""

OPEN_CLIP_SET = 'openai_imagenet'


@lru_cache(maxsize=1)
def _openai_imagenet() -> tuple[str, ...]:
    try:
        from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES
    except ImportError as error:
        raise ImportError(
            f'the template set {OPEN_CLIP_SET!r} comes from the package open_clip_torch: install it, or name '
            'another set, for example "simple"'
        ) from error
    return tuple(template(GAP) for template in OPENAI_IMAGENET_TEMPLATES)


def template_set_names() -> tuple[str, ...]:
    """Every name that `get_templates` knows."""
    return (*TEMPLATE_SETS, OPEN_CLIP_SET)


def get_templates(name: str) -> tuple[str, ...]:
    """The templates of a set, each with exactly one gap `{}`.

    Args:
        name: One of `template_set_names()`.

    Raises:
        KeyError: If there is no such set.
        ImportError: If the set comes from open_clip and the package is absent.
    """
    if name == OPEN_CLIP_SET:
        return _openai_imagenet()
    if name not in TEMPLATE_SETS:
        raise KeyError(f'no template set named {name!r}; known: {", ".join(template_set_names())}')
    return TEMPLATE_SETS[name]


def fill_template(template: str, text: str) -> str:
    """The template with its gap filled; braces inside `text` stay as they are.

    Args:
        template: A sentence with exactly one `{}`.
        text: Class name or short description.

    Raises:
        ValueError: If the template does not have exactly one gap.
    """
    if template.count(GAP) != 1:
        raise ValueError(f'a template needs exactly one {GAP!r}, this one has {template.count(GAP)}: {template!r}')
    return template.replace(GAP, text)


def is_short_text(text: str, max_words: int) -> bool:
    """Whether a text has at most `max_words` words: the rule for expanding texts and for leaving them out."""
    return len(text.split()) <= max_words


def class_prompts(class_name: str, templates: str) -> tuple[str, ...]:
    """All prompts of one class.

    Args:
        class_name: Readable name, e.g. `'dining table'`.
        templates: Name of a template set.
    """
    return tuple(fill_template(template, class_name) for template in get_templates(templates))
